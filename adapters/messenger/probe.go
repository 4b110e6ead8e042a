package messenger

import (
	"context"

	"postern/gateway"
)

// Probe asks whether the app's id and secret belong together, and whose token the line's is. With Instagram Login an app cannot be asked
// about.
func (a *Adapter) Probe(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	found := ""
	if a.cfg.AppID != "" && !a.cfg.own() {
		if err := a.client.graph.CheckApp(ctx, a.cfg.AppID); err != nil {
			return "", a.readError(err)
		}
		found = "the app " + a.cfg.AppID
	}
	line, ok := a.Line()
	if !ok {
		return found, nil
	}
	var p page
	who := a.line.Load()
	if err := a.client.read(ctx, "readAccount", who.Token, a.client.node(*who, gateway.Endpoint(a.cfg.lineID())), "id", &p); err != nil {
		return "", a.readError(err)
	}
	return "the " + line.Shown, nil
}
