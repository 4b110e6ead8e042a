package messenger

import (
	_ "embed"

	"postern/adapters/internal/graph"
	"postern/adapters/internal/guide"
)

var (
	//go:embed messenger.yaml
	example string
	//go:embed instagram.yaml
	instagramExample string
)

// Setup is what an operator is asked for Messenger: the app of Meta's, and whether there is a page for all.
func Setup() guide.Guide {
	line := guide.Given("page_id")
	digits := guide.Form(idForm, "digits")
	return guide.Guide{Example: example, Page: "messenger.md", Keys: []guide.Key{
		{
			Name: "app_id", Check: digits,
			Ask: "App ID of your Meta app with the product Messenger (https://developers.facebook.com/apps); empty: users paste tokens",
		},
		{Name: "app_secret_file", File: "app", Fetch: graph.AppSecretFrom},
		{Name: "verify_token_file", File: "verify", Make: guide.Word},
		{
			Name: "page_id", Check: digits,
			Ask: "Id of a page that serves all users (on the page: About, Page transparency); empty: each user links a page of their own",
		},
		{Name: "username", When: line, Check: guide.Form(usernameForm, wantName), Ask: "Name of that page as in m.me/NAME, for invites; empty: its id"},
		{
			Name: "token_file", File: "token", When: line,
			Fetch: "the page's token: make a system user in Business settings (https://business.facebook.com) with the app and the page as assets, " +
				"and a token of theirs; GET /me/accounts with it names the page's own",
		},
	}}
}

const wantName = "the name as it stands in an address, without an @"

// InstagramSetup is what an operator is asked for Instagram: how accounts log in, the app, and whether there is an account for all.
func InstagramSetup() guide.Guide {
	line := guide.Given("instagram_id")
	digits := guide.Form(idForm, "digits")
	return guide.Guide{Example: instagramExample, Page: "instagram.md", Keys: []guide.Key{
		{
			Name: "login", Required: true, Default: guide.Always(LoginInstagram), Check: guide.OneOf(LoginInstagram, LoginFacebook),
			Ask: "How accounts log in: instagram, or facebook for those that are linked to a page",
		},
		{
			Name: "app_id", Check: digits,
			Ask: "App ID of your Meta app (https://developers.facebook.com/apps), with login instagram its Instagram app ID; empty: users paste tokens",
		},
		{
			Name: "app_secret_file", File: "app",
			Fetch: graph.AppSecretFrom + "; with login: instagram the Instagram app secret, which is under Instagram, API setup with Instagram login",
		},
		{Name: "verify_token_file", File: "verify", Make: guide.Word},
		{
			Name: "instagram_id", Check: digits,
			Ask: "Id of an account that serves all users (user_id of graph.instagram.com/me); empty: each user links an account of their own",
		},
		{
			Name: "page_id", Required: true, Check: digits, When: func(a guide.Answers) bool { return line(a) && a["login"] == LoginFacebook },
			Ask: "Id of the page that this account is linked to",
		},
		{Name: "username", When: line, Check: guide.Form(usernameForm, wantName), Ask: "Name of that account as in ig.me/m/NAME, for invites; empty: it is asked for"},
		{
			Name: "token_file", File: "token", When: line,
			Fetch: "the account's token, from the app under Instagram, API setup with Instagram login, Generate access tokens; with login: facebook the token of its page",
		},
	}}
}
