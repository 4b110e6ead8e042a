package app

import (
	"log/slog"
	"net/http"
)

// CheckFiles reads every file that the configuration names and says what is wrong with them. It calls nobody.
func CheckFiles(cfg *Config) Problems {
	b := &builder{cfg: cfg, o: Options{Log: slog.New(slog.DiscardHandler), HTTP: http.DefaultClient}}
	var out Problems
	add := func(key string, err error) {
		for _, e := range flatten(err) {
			if p, ok := e.(Problem); ok { //nolint:errorlint // flatten leaves bare errors
				out = append(out, p)
				continue
			}
			out = append(out, cfg.at.problem(key, "%v", e))
		}
	}
	add("adapters", b.instances())
	if _, err := b.keks(); err != nil {
		add("store.key_file", err)
	}
	if _, err := cfg.Server.TLS.clientTLS(""); err != nil {
		add("server.tls.ca_file", err)
	}
	if _, err := newAsker(cfg.Policy, nil, b.o.Log); err != nil {
		add("policy.token_file", err)
	}
	if cfg.HTTP.TLS.CertFile != "" {
		_, err := newCertificate(cfg.HTTP.TLS)
		add("http.tls", err)
	}
	return out.sorted()
}
