package simulator

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"postern/adapters/gatekeeper/openapi"
)

// implementation does what one operation of the document says. It runs with the lock held and after the request was found to
// follow the document.
type implementation func(c *call) (answer, *problem)

// implementations has one entry per operationId; New refuses to start when one is missing.
func implementations() map[string]implementation {
	return map[string]implementation{
		"readDirectory": readDirectory, "readGatekeeperKeys": readGatekeeperKeys, "readStatus": readStatus,
		"createEnlistment": createEnlistment, "readEnlistment": readEnlistment, "changeEnlistment": changeEnlistment,
		"withdrawEnlistment": withdrawEnlistment, "refreshEnlistment": refreshEnlistment, "lookupPeople": lookupPeople,
		"createContactRequest": createContactRequest, "listContactRequests": listContactRequests,
		"readContactRequest": readContactRequest, "cancelContactRequest": cancelContactRequest,
		"changeConsent": changeConsent, "listConsents": listConsents, "revokeConsent": revokeConsent,
		"publishKeys": unavailable, "countKeys": unavailable, "claimKeys": unavailable, "readIdentity": unavailable,
		"sendMessage": sendMessage, "editMessage": editMessage, "retractMessage": retractMessage,
		"setReactions": setReactions, "addReaction": addReaction, "removeReaction": removeReaction, "sendReceipts": sendReceipts, "sendTyping": sendTyping,
		"createMedia": createMedia, "readMedia": readMedia, "uploadMedia": streamed, "downloadMedia": streamed, "readProfile": readProfile,
		"createGroup": unavailable, "listGroups": unavailable, "readGroup": unavailable, "changeGroup": unavailable,
		"addMembers": unavailable, "removeMembers": unavailable, "setRole": unavailable, "leaveGroup": unavailable,
		"readGroupPolicy": unavailable, "replaceGroupPolicy": unavailable,
		"listBlocks": listBlocks, "readBlock": readBlock, "block": block, "unblock": unblock,
		"createReport": createReport, "readReport": readReport, "appealReport": appealReport,
		"exportData": exportData, "eraseData": eraseData, "readJob": readJob,
		"setWebhook": setWebhook, "readWebhook": readWebhook, "testWebhook": testWebhook, "rotateWebhookSecret": rotateWebhookSecret,
		"listEvents": listEvents, "acknowledgeEvents": acknowledgeEvents, "startCall": startCall,
	}
}

// decode reads a body that already follows the document.
func (c *call) decode(into any) *problem {
	if len(c.body) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.body, into); err != nil {
		return invalid("body", err.Error())
	}
	return nil
}

// unavailable answers for features that this sandbox does not play.
func unavailable(*call) (answer, *problem) {
	return answer{}, fail("feature_unavailable", "the directory says which features there are")
}

const callsAfter = "2027-09"

func startCall(*call) (answer, *problem) {
	p := fail("feature_unavailable", "calls are not offered yet")
	p.AvailableAfter = callsAfter
	return answer{}, p
}

// Limits that the directory declares.
const (
	textBytes        = 16384
	lookupBatch      = 256
	receiptBatch     = 200
	mailboxDays      = 30
	inactivityDays   = 30
	editWindowS      = 24 * 3600
	retractWindowS   = 48 * 3600
	reactionsPerUser = 1
	lookupsPerDay    = 10000
)

func defaultTerms() termsAccepted {
	return termsAccepted{Version: "1", SHA256: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"}
}

func readDirectory(c *call) (answer, *problem) {
	issuer := c.issuer(c.r)
	return answer{status: http.StatusOK, etag: `"` + c.terms.Version + "-" + itoa(c.offerVersion) + `"`, body: map[string]any{
		"issuer": issuer, "platform": "sandbox", "name": c.cfg.Name, "versions": []string{openapi.Version},
		"endpoints": map[string]string{"token": issuer + "/oauth/token", "api": issuer, "jwks": issuer + "/.well-known/gia/jwks.json"},
		"regions":   []string{}, "modes": []string{"plaintext"}, "identifier_types": []string{"email", "phone", "username", "jid"},
		"identifier_proofs": identifierProofs(),
		"features":          c.features,
		"limits":            c.directoryLimits(),
		"terms":             map[string]string{"version": c.terms.Version, "url": issuer + "/page/terms.html", "sha256": c.terms.SHA256},
		"calls":             map[string]string{"available_after": callsAfter},
	}}, nil
}

func readGatekeeperKeys(c *call) (answer, *problem) {
	return answer{status: http.StatusOK, body: json.RawMessage(c.keySet)}, nil
}

func readStatus(c *call) (answer, *problem) {
	return answer{status: http.StatusOK, body: map[string]any{"state": "operational", "at": stamp(c.now), "incidents": []any{}}}, nil
}

func pageLimit(c *call) int {
	n, err := strconv.Atoi(c.r.URL.Query().Get("limit"))
	if err != nil { // absent: the document checked the rest
		return 50
	}
	return n
}

// page cuts a list to what the cursor and the limit ask for. The cursor is the place in the list.
func page[T any](c *call, all []T) (map[string]any, *problem) {
	from := 0
	if cursor := c.r.URL.Query().Get("cursor"); cursor != "" {
		pos, err := strconv.ParseInt(strings.TrimPrefix(cursor, "c"), 36, 64)
		if err != nil || pos < 0 || pos > int64(len(all)) {
			return nil, expiredCursor()
		}
		from = int(pos)
	}
	to := min(from+pageLimit(c), len(all))
	out := map[string]any{"items": append([]T{}, all[from:to]...)}
	if to < len(all) {
		out["next"] = cursorAt(int64(to))
	}
	return out, nil
}
