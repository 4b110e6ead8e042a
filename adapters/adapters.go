// Package adapters lists every adapter that Postern is built with.
package adapters

import (
	"fmt"
	"log/slog"
	"net/http"

	"postern/adapters/gatekeeper"
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
	// New opens an adapter from what Config returned. It reads files that the configuration names and calls nobody.
	New func(Config, Deps) (gateway.Adapter, error)
}

// Config is the part of an adapter's configuration that is its own. Validate does no I/O.
type Config interface{ Validate() error }

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
			New:    newMessenger,
		},
		{
			Name:   "messenger",
			Config: func() Config { return messenger.DefaultConfig() },
			New:    newMessenger,
		},
		{
			Name:   "telegram",
			Config: func() Config { return telegram.DefaultConfig() },
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
