package gatekeeper

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"postern/adapters/internal/rest"
	"postern/gateway"
)

// Profile reads a person's name and picture.
func (a *Adapter) Profile(ctx context.Context, account gateway.Credentials, contact gateway.ContactID) (gateway.Profile, error) {
	who, err := parsePerson(account)
	if err != nil {
		return gateway.Profile{}, sendError(err)
	}
	if !a.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect}).Has(gateway.FeatureProfile) {
		return gateway.Profile{}, gateway.ErrNoPerson
	}
	var p profile
	call := rest.Call{Name: "readProfile", Method: http.MethodGet, Path: rest.Path("v1", "users", string(contact), "profile")}
	if err := a.client.do(ctx, who, call, &p); err != nil {
		se := readError(err)
		if se.Class == gateway.NotReachable || se.Class == gateway.Unsupported || se.Code == "not_found" {
			return gateway.Profile{}, gateway.ErrNoPerson
		}
		return gateway.Profile{}, se
	}
	out := gateway.Profile{Name: p.Display}
	if v := p.Avatar; v != nil {
		out.Avatar = gateway.Media{Kind: gateway.MediaImage, Handle: v.MediaID, MIME: v.Type, Name: v.Name, Size: v.Size}
		if sum, err := hex.DecodeString(v.SHA256); err == nil && len(sum) == sha256.Size {
			out.Avatar.SHA256 = sum
		}
	}
	return out, nil
}

// Block stops a person, or lets them again. Both are idempotent by nature.
func (a *Adapter) Block(ctx context.Context, account gateway.Credentials, contact gateway.ContactID, on bool) error {
	who, err := a.moderates(account, gateway.FeatureBlock)
	if err != nil {
		return err
	}
	call := rest.Call{Name: "block", Method: http.MethodPut, Path: rest.Path("v1", "blocks", string(contact))}
	if !on {
		call.Name, call.Method = "unblock", http.MethodDelete
	}
	if err := a.client.do(ctx, who, call, nil); err != nil {
		return readError(err)
	}
	return nil
}

// maxStatement and maxReported are the document's limits of ReportCreate.
const (
	maxStatement = 4000
	maxReported  = 50
)

// Report complains about a person. The user says so themselves, which is the good faith that the document asks for.
func (a *Adapter) Report(ctx context.Context, account gateway.Credentials, r gateway.Report) error {
	who, err := a.moderates(account, gateway.FeatureReport)
	if err != nil {
		return err
	}
	in := reportCreate{Accused: string(r.Contact), Category: "spam", Statement: cut(r.Text, maxStatement), GoodFaith: true}
	if r.Reason == gateway.ReportAbuse {
		in.Category = "harassment"
	}
	for _, id := range r.Messages[:min(len(r.Messages), maxReported)] {
		in.Messages = append(in.Messages, reportedMessage{MessageID: string(id)})
	}
	call := rest.Call{Name: "createReport", Method: http.MethodPost, Path: rest.Path("v1", "reports"), Header: idempotencyKey(r.ID), Body: in}
	if err := a.client.do(ctx, who, call, nil); err != nil {
		// The key makes a repeated report the same report.
		return readError(err)
	}
	return nil
}

// moderates reads the credentials and refuses before any I/O what Caps does not offer.
func (a *Adapter) moderates(account gateway.Credentials, f gateway.Feature) (*person, error) {
	who, err := parsePerson(account)
	if err != nil {
		return nil, sendError(err)
	}
	if !a.Caps(gateway.ChatFacts{Kind: gateway.ChatDirect}).Has(f) {
		return nil, refuse(gateway.Unsupported, string(f), "not offered here")
	}
	return who, nil
}
