package api

import (
	"testing"

	"postern/gateway"
)

func TestChatAnswers(t *testing.T) {
	const chat = `{"adapter":"one","account":"01A","alias":"x7","chat":"abc","last_inbound":"1970-01-01T00:00:05Z","waiting":[` +
		`{"where":"out","reason":"window","entries":3,"oldest":"1970-01-01T00:00:05Z","next":"1970-01-01T00:00:05Z"}]}`
	orders{
		{name: "chats", path: "/v1/users/romeo@example.org/chats", role: gateway.RoleOperator, status: 200, want: chat + `,{"adapter":"one","account":"01A","alias":"x8","chat":"abd","waiting":[]}`, did: "chats of romeo@example.org,   100"},
		{name: "of an account", path: "/v1/users/romeo@example.org/chats?account=01A&limit=7&after=x", role: gateway.RoleAdmin, status: 200, want: chat, did: "chats of romeo@example.org, 01A x 7"},
		{name: "from nowhere", path: "/v1/users/romeo@example.org/chats?after=nowhere", role: gateway.RoleOperator, status: 422, want: `"field":"after"`, did: "chats of romeo@example.org,  nowhere 100"},
		{name: "of nobody", path: "/v1/users/romeo/chats", role: gateway.RoleOperator, status: 422, want: `"field":"jid"`},
		{name: "too many", path: "/v1/users/romeo@example.org/chats?limit=1001", role: gateway.RoleOperator, status: 422, want: `"field":"limit"`},
		{name: "by a viewer", path: "/v1/users/romeo@example.org/chats", role: gateway.RoleViewer, status: 403, want: "operator"},
		{name: "invites", path: "/v1/users/romeo@example.org/invites", role: gateway.RoleOperator, status: 200, want: `{"items":[{"id":"abc","adapter":"one","account":"01A","made":"1970-01-01T00:00:05Z","until":"1970-01-01T01:00:05Z","taken":true}],"next":"5.abc"}`},
		{name: "invites of who gave none", path: "/v1/users/eve@example.org/invites", role: gateway.RoleOperator, status: 200, want: `{"items":[]}`},
		{name: "invites from nowhere", path: "/v1/users/romeo@example.org/invites?after=nowhere", role: gateway.RoleOperator, status: 422, want: `"field":"after"`},
		{name: "invites by a viewer", path: "/v1/users/romeo@example.org/invites", role: gateway.RoleViewer, status: 403, want: "operator"},
		{name: "revoke", method: "DELETE", path: "/v1/users/romeo@example.org/invites/abc", role: gateway.RoleOperator, status: 200, want: `{"line":1,"salt":"`, did: "revoke abc of romeo@example.org", audited: "operator invite.revoke abc"},
		{name: "revoke another's", method: "DELETE", path: "/v1/users/eve@example.org/invites/abc", role: gateway.RoleOperator, status: 404, did: "revoke abc of eve@example.org", audited: "operator invite.revoke abc"},
		{name: "revoke by a viewer", method: "DELETE", path: "/v1/users/romeo@example.org/invites/abc", role: gateway.RoleViewer, status: 403},
	}.hold(t)
}
