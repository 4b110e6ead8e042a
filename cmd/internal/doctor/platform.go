package doctor

import (
	"context"
	"errors"
	"strings"
	"time"

	"postern/gateway"
)

// platformTimeout bounds what a platform is asked.
const platformTimeout = 15 * time.Second

// platform asks the platform about what the operator configured.
func (v *visit) platform(ctx context.Context, i gateway.Instance) {
	p, ok := i.Adapter.(gateway.Prober)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, platformTimeout)
	defer cancel()
	name := i.Adapter.Descriptor().Platform
	switch found, err := p.Probe(ctx); {
	case err == nil && found == "":
		v.found(string(i.ID), OK, "%s: each user brings their own account, nothing of yours can be asked about", name)
	case err == nil:
		v.found(string(i.ID), OK, "%s takes the credentials of %s", name, found)
	case !answered(err):
		v.found(string(i.ID), Fault, "%s could not be asked (%v)", name, err).lost("while that lasts nothing goes there; messages wait").
			mend("look whether this machine reaches the address in base_url, by way of a proxy where one is needed")
	case publishes(i) && v.gateway == nil && !v.held:
		v.found(string(i.ID), Loss, "%s does not take the credentials (%v), and reads our keys where only a gateway that runs publishes them", name, err).
			lost("whether it would take them is not known").mend("run postern doctor once more while the gateway runs")
	default:
		v.found(string(i.ID), Fault, "%s does not take the credentials (%v)", name, err).lost("no message goes there").
			mend("compare the keys and files of adapters." + string(i.ID) + " with what the platform shows; deploy/platforms/ says where that is")
	}
}

// answered reports whether a failure is the platform's own word, rather than one of the way there or of the moment.
func answered(err error) bool {
	se, ok := errors.AsType[*gateway.SendError](err)
	return ok && se.Class != gateway.RateLimited && (se.Class != gateway.Retryable || se.Code != "")
}

func publishes(i gateway.Instance) bool {
	p, ok := i.Adapter.(gateway.Publisher)
	return ok && len(p.WellKnown()) > 0
}

// webhooks says whether the platform can tell us anything.
func (v *visit) webhooks(i gateway.Instance) {
	_, wants := i.Adapter.(gateway.Webhook)
	if p, ok := i.Adapter.(gateway.Poller); ok && p.Polls() {
		wants = false
	}
	if !wants {
		return
	}
	path := "/hooks/" + string(i.ID)
	if v.cfg.HTTP.PublicURL == "" {
		v.found(string(i.ID), Loss, "http.public_url is not set").lost("the platform is not told where its webhooks go, so that nothing that people write arrives").
			mend("set http.public_url, or tell the platform yourself: the origin that leads to http.public, and the path " + path)
		return
	}
	if _, tells := i.Adapter.(gateway.Registrar); tells {
		v.found(string(i.ID), OK, "webhooks go to %s, as the platform is told at start", strings.TrimSuffix(v.cfg.HTTP.PublicURL, "/")+path)
	}
}
