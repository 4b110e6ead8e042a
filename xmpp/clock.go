package xmpp

import (
	"context"
	"strconv"
	"time"

	"postern/gateway"
)

const (
	nsLast = "jabber:iq:last" // XEP-0012
	nsTime = "urn:xmpp:time"  // XEP-0202
)

// uptime says for how many seconds the gateway has been running (XEP-0012 §4).
func (c *Component) uptime(context.Context, *Element, gateway.Visitor) (answer, error) {
	return answer{payload: NewElement(nsLast, "query", "seconds", strconv.Itoa(int(time.Since(c.since)/time.Second)))}, nil
}

// clock says what time it is here (XEP-0202 §2): a gateway lives in UTC.
func (c *Component) clock(context.Context, *Element, gateway.Visitor) (answer, error) {
	return answer{payload: NewElement(nsTime, "time").AddTextChild("tzo", "+00:00").AddTextChild("utc", FormatTime(time.Now()))}, nil
}
