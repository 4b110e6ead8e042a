package telegram

import (
	_ "embed"
	"strings"

	"postern/adapters/internal/guide"
)

//go:embed example.yaml
var example string

// Setup is what an operator is asked: how updates come, and whether there is a bot for all.
func Setup() guide.Guide {
	return guide.Guide{Example: example, Page: "telegram.md", Keys: []guide.Key{
		{
			Name: "receive", Ask: "How updates come: webhook, which needs an https address that Telegram reaches, or poll", Required: true,
			Default: func(a guide.Answers) string {
				if strings.HasPrefix(a[guide.PublicURL], "https://") {
					return ReceiveWebhook
				}
				return ReceivePoll
			},
			Check: guide.OneOf(ReceiveWebhook, ReceivePoll),
		},
		{Name: "webhook_secret_file", File: "webhook", Make: guide.Word},
		{
			Name: "bot_name", Ask: "User name of a bot that serves all users, such as verona_bot; empty: each user links a bot of their own",
			Check: guide.Form(nameForm, "a user name without @"),
		},
		{
			Name: "token_file", File: "token", When: guide.Given("bot_name"),
			Fetch: "the bot's token, such as 123456:ABC...: write /newbot, or /token, to @BotFather in Telegram (https://t.me/BotFather)",
		},
	}}
}
