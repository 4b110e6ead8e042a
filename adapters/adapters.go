// Package adapters lists every adapter that Postern is built with.
package adapters

import (
	"fmt"
	"log/slog"
	"net/http"

	"postern/adapters/gatekeeper"
	"postern/adapters/internal/guide"
	"postern/adapters/messenger"
	"postern/adapters/telegram"
	"postern/adapters/whatsapp"
	"postern/gateway"
)

// Type is a kind of adapter that a configuration can name.
type Type struct {
	// Name is the value of `type` in the configuration.
	Name string
	// Config returns a pointer to a fresh configuration that holds the defaults, with yaml tags, to decode into.
	Config func() Config
	// Setup is what a first configuration needs, and what each key means.
	Setup func() Guide
	// New opens an adapter from what Config returned. It reads files that the configuration names and calls nobody.
	New func(Config, Deps) (gateway.Adapter, error)
}

// Config is the part of an adapter's configuration that is its own.
type Config interface {
	// Validate does no I/O.
	Validate() error
	// Origin is the address of the API that is called: instances of one type with the same host leave it alone together while it fails.
	Origin() string
}

type (
	// Guide tells an operator what there is to know, to make and to fetch for an adapter.
	Guide = guide.Guide
	// Key is one key of a first configuration.
	Key = guide.Key
	// Answers are an operator's answers by key.
	Answers = guide.Answers
)

// PublicURL is the key in Answers of the address under which platforms reach the gateway.
const PublicURL = guide.PublicURL

// SetupLine parts the example of a Guide: keys below it have a default.
const SetupLine = guide.Line

// Deps is what every adapter is given. Log is for what neither an error nor an event can tell; adapters log no content.
type Deps struct {
	Log  *slog.Logger
	HTTP *http.Client
}

// All returns every type, sorted by name.
func All() []Type {
	return []Type{
		{
			Name:   "gatekeeper",
			Config: func() Config { return gatekeeper.DefaultConfig() },
			Setup:  gatekeeper.Setup,
			New: func(c Config, d Deps) (gateway.Adapter, error) {
				cfg, ok := c.(*gatekeeper.Config)
				if !ok {
					return nil, wrongConfig("gatekeeper", c)
				}
				return gatekeeper.New(*cfg, d.HTTP)
			},
		},
		{
			Name:   "instagram",
			Config: func() Config { return messenger.DefaultInstagramConfig() },
			Setup:  messenger.InstagramSetup,
			New:    newMessenger,
		},
		{
			Name:   "messenger",
			Config: func() Config { return messenger.DefaultConfig() },
			Setup:  messenger.Setup,
			New:    newMessenger,
		},
		{
			Name:   "telegram",
			Config: func() Config { return telegram.DefaultConfig() },
			Setup:  telegram.Setup,
			New: func(c Config, d Deps) (gateway.Adapter, error) {
				cfg, ok := c.(*telegram.Config)
				if !ok {
					return nil, wrongConfig("telegram", c)
				}
				return telegram.New(*cfg, d.HTTP, d.Log)
			},
		},
		{
			Name:   "whatsapp",
			Config: func() Config { return whatsapp.DefaultConfig() },
			Setup:  whatsapp.Setup,
			New: func(c Config, d Deps) (gateway.Adapter, error) {
				cfg, ok := c.(*whatsapp.Config)
				if !ok {
					return nil, wrongConfig("whatsapp", c)
				}
				return whatsapp.New(*cfg, d.HTTP)
			},
		},
	}
}

// newMessenger opens either of the two types that one package speaks.
func newMessenger(c Config, d Deps) (gateway.Adapter, error) {
	cfg, ok := c.(*messenger.Config)
	if !ok {
		return nil, wrongConfig("messenger", c)
	}
	return messenger.New(*cfg, d.HTTP)
}

func wrongConfig(name string, c Config) error {
	return fmt.Errorf("adapters: %s: got a configuration of type %T", name, c)
}
