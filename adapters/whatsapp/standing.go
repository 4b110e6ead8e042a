package whatsapp

import (
	"strconv"

	"postern/adapters/internal/graph"
	"postern/adapters/internal/rest"
	"postern/gateway"
)

// account reads what Meta tells of a business account as a whole. It names no number: the address that it came to does, or the operator's
// configuration.
func (p *parser) account(e entry, c change) {
	endpoint := p.address
	if endpoint == "" && p.lineAccount != "" && string(e.ID) == p.lineAccount {
		endpoint = p.line
	}
	var v accountValue
	if graph.Decode(c.Value, &v) != nil {
		p.bad = true
		return
	}
	state, reason := standing(c.Field, v)
	if endpoint == "" || state == "" {
		return
	}
	p.events = append(p.events, gateway.Event{
		Dedupe: "a:" + digest(string(e.ID), string(e.Time), c.Field, string(c.Value)), Endpoint: endpoint, At: p.at,
		Body: gateway.AccountState{State: state, Reason: rest.Code(reason)},
	})
}

// standing says what an account event means; an empty one says nothing of whether the number can act.
func standing(field string, v accountValue) (gateway.AccountStanding, string) {
	switch field {
	case "phone_number_quality_update":
		// A number whose quality is low is flagged, and loses part of its limit a week later.
		switch v.Event {
		case "FLAGGED", "DOWNGRADE":
			return gateway.AccountExpiring, v.Event
		case "UNFLAGGED", "UPGRADE":
			return gateway.AccountActive, v.Event
		}
	case "account_update":
		switch v.Event {
		case "DISABLED_UPDATE":
			switch v.BanInfo.State {
			case "DISABLE":
				return gateway.AccountSuspended, v.Event
			case "SCHEDULE_FOR_DISABLE":
				return gateway.AccountExpiring, v.Event
			case "REINSTATE":
				return gateway.AccountActive, v.Event
			}
		case "ACCOUNT_RESTRICTION":
			for _, r := range v.Restrictions {
				// One of messages that the business begins leaves answers possible.
				if r.Type == "RESTRICTED_CUSTOMER_INITIATED_MESSAGING" {
					return gateway.AccountSuspended, r.Type
				}
			}
		case "ACCOUNT_DELETED", "PARTNER_REMOVED", "PARTNER_APP_UNINSTALLED":
			return gateway.AccountReauthNeeded, v.Event
		}
	}
	return "", ""
}

// numberError is an error of the number as a whole, without a message (Webhooks, errors). Of those that pass by themselves nobody need
// hear.
func (p *parser) numberError(e wireError, c change) {
	code, err := strconv.Atoi(string(e.Code))
	state, known := blocked[code]
	if err != nil || !known {
		return
	}
	p.events = append(p.events, gateway.Event{
		Dedupe: "e:" + digest(p.at.String(), string(e.Code), c.Field, string(c.Value)), Endpoint: p.endpoint, At: p.at,
		Body: gateway.AccountState{State: state, Reason: strconv.Itoa(code)},
	})
}
