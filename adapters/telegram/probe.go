package telegram

import (
	"context"
	"strconv"

	"postern/gateway"
)

// Probe asks whose token the line's is.
func (a *Adapter) Probe(ctx context.Context) (string, error) {
	if a.line.Token == "" {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	me, err := a.client.getMe(ctx, a.line.Token)
	if err != nil {
		return "", readError(err)
	}
	if a.cfg.BotName != "" && a.cfg.BotName != me.Username {
		return "", refuse(gateway.Permanent, "bot_name", "bot_name: the token of token_file is that of @"+me.Username)
	}
	if me.Username == "" {
		return "the bot " + strconv.FormatInt(me.ID, 10), nil
	}
	return "the bot @" + me.Username, nil
}
