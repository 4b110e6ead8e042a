package app

import (
	"context"

	"postern/api"
	"postern/gateway"
)

// steering is the operator's side for operators who write to the gateway: the deeds of /v1 and the console.
type steering struct{ *api.Control }

// Stopped implements gateway.Steering.
func (s steering) Stopped(a gateway.AdapterID) (gateway.Stop, bool) { return s.Orders.Stopped(a) }

// Blocks implements gateway.Steering.
func (s steering) Blocks() []gateway.Block { return s.Orders.Blocks() }

// Queues implements gateway.Steering.
func (s steering) Queues(ctx context.Context) ([]gateway.QueueState, []gateway.ParkedLanes, error) {
	return s.Operations.Queues(ctx)
}

// Letters implements gateway.Steering.
func (s steering) Letters(ctx context.Context, f gateway.LetterFilter, after gateway.LetterID, n int) ([]gateway.Letter, gateway.LetterID, error) {
	return s.Operations.Letters(ctx, f, after, n)
}

// Block implements gateway.Steering.
func (s steering) Block(ctx context.Context, actor, who, reason string) (int64, string, error) {
	got, err := s.Control.Block(ctx, actor, who, reason)
	return got.Line, got.Salt, err
}

// Unblock implements gateway.Steering.
func (s steering) Unblock(ctx context.Context, actor, who string) (int64, string, error) {
	got, err := s.Control.Unblock(ctx, actor, who)
	return got.Line, got.Salt, err
}

// ParseUser implements gateway.Steering.
func (s steering) ParseUser(text string) (gateway.UserID, error) { return s.Control.ParseUser(text) }

// admins are the operators who may steer by chat. What is no address was found by Validate.
func (a Access) admins() (users []gateway.UserID) {
	for _, text := range a.Admins {
		if u, err := parseUser(text); err == nil {
			users = append(users, u)
		}
	}
	return users
}
