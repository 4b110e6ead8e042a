package whatsapp

import (
	_ "embed"

	"postern/adapters/internal/graph"
	"postern/adapters/internal/guide"
)

//go:embed example.yaml
var example string

// Setup is what an operator is asked: the app of Meta's, and whether there is a number for all.
func Setup() guide.Guide {
	line := guide.Given("phone_number_id")
	digits := guide.Form(numberForm, "digits")
	return guide.Guide{Example: example, Page: "whatsapp.md", Keys: []guide.Key{
		{
			Name: "app_id", Required: true, Check: digits,
			Ask: "App ID of your Meta app with the product WhatsApp (https://developers.facebook.com/apps)",
		},
		{Name: "app_secret_file", File: "app", Fetch: graph.AppSecretFrom},
		{Name: "verify_token_file", File: "verify", Make: guide.Word},
		{
			Name: "phone_number_id", Check: digits,
			Ask: "Phone number ID of a number that serves all users (in your app: WhatsApp, API Setup); empty: each user links a number of their own",
		},
		{Name: "account_id", When: line, Check: digits, Ask: "WhatsApp Business Account ID of that number, from the same page (may be empty)"},
		{
			Name: "phone_number", When: line, Check: guide.Form(phoneForm, "digits with the country's code and without a plus"),
			Ask: "That number in digits, such as 15550001111, for invites; empty: it is asked for",
		},
		{
			Name: "token_file", File: "token", When: line,
			Fetch: "a token of a system user for that number, which never expires: https://business.facebook.com, Business settings, Users, System users; " +
				"permissions whatsapp_business_messaging and whatsapp_business_management",
		},
	}}
}
