package app

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"postern/gateway"
)

// live are the keys whose change takes effect without a restart.
var live = regexp.MustCompile(`^(policy|access|operator)\.|^log\.level$|^http\.trusted_proxies$|^adapters\.[^.]+\.limits\.`)

// reloads reads the configuration again each time when it is asked to, until ctx ends.
func (a *App) reloads(ctx context.Context) {
	for {
		select {
		case <-a.o.Reload:
		case <-ctx.Done():
			return
		}
		cfg, err := a.o.Load()
		if err == nil {
			_, _, err = a.Reload(cfg)
		}
		if err != nil {
			for _, e := range flatten(err) {
				a.log.Error("configuration not taken, everything stays as it is", "err", e)
			}
		}
	}
}

// Reload puts a configuration into force, as far as that goes without a restart, and says which keys changed: those that took effect,
// and those that need one. One that is wrong changes nothing. It is not for use by several at once.
func (a *App) Reload(cfg *Config) (applied, restart []string, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, nil, err
	}
	if problems := CheckFiles(cfg); len(problems) > 0 {
		return nil, nil, problems
	}
	asks, err := newAsker(cfg.Policy, a.asked, a.log)
	if err != nil {
		return nil, nil, cfg.at.problem("policy.token_file", "%v", err)
	}
	for _, key := range changed(a.inForce, *cfg) {
		if live.MatchString(key) {
			applied = append(applied, key)
		} else {
			restart = append(restart, key)
		}
	}
	if err := a.apply(cfg, asks); err != nil {
		return nil, nil, err
	}
	a.log.Info("configuration read again", "applied", applied, "needs_a_restart", restart)
	return applied, restart, nil
}

// apply puts what is live into force. Nothing of a configuration that was judged can fail.
func (a *App) apply(cfg *Config, asks *asker) error {
	for _, l := range a.links {
		if err := l.component.SetUsers(cfg.Access.Domains); err != nil {
			return cfg.at.problem("access.domains", "%v", err)
		}
		l.component.SetContacts(cfg.Operator.contacts())
		a.renderer.SetContacts(l.Component, cfg.Operator.contacts())
	}
	a.desk.SetAdmins(cfg.Access.admins())
	a.desk.SetOperator(cfg.Operator.String(), cfg.Operator.contacts())
	if was := a.policy.now.Load().asker; asks != nil && was != nil {
		asks.inherit(was)
	}
	a.policy.now.Store(newRuling(cfg.Policy, asks))
	limits := map[gateway.AdapterID][]gateway.Limit{}
	now := maps.Clone(a.inForce.Adapters)
	for name, has := range now {
		if next, ok := cfg.Adapters[name]; ok {
			has.Limits = next.Limits
			now[name] = has
		}
		limits[gateway.AdapterID(name)] = has.Limits.all()
	}
	a.gateway.SetLimits(limits)
	proxies, _ := cfg.HTTP.proxies()
	a.proxies.Store(&proxies)
	setLevel(a.o.Level, cfg.Log.Level)
	a.inForce.Policy, a.inForce.Access, a.inForce.Operator, a.inForce.Adapters = cfg.Policy, cfg.Access, cfg.Operator, now
	a.inForce.Log.Level, a.inForce.HTTP.TrustedProxies = cfg.Log.Level, cfg.HTTP.TrustedProxies
	return nil
}

// setLevel is nothing where the level is not the configuration's to choose.
func setLevel(v *slog.LevelVar, name string) {
	var level slog.Level
	if v != nil && level.UnmarshalText([]byte(name)) == nil {
		v.Set(level)
	}
}

// trusted are the proxies in force.
func (a *App) trusted() []netip.Prefix { return *a.proxies.Load() }

// changed lists the keys that differ between two configurations, sorted; never what they hold.
func changed(a, b Config) []string {
	was, is := map[string]string{}, map[string]string{}
	flat("", reflect.ValueOf(a), was)
	flat("", reflect.ValueOf(b), is)
	all := maps.Clone(was)
	maps.Copy(all, is)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(key string) bool {
		before, had := was[key]
		after, has := is[key]
		return had == has && before == after
	})
}

// flat writes down what each key holds.
func flat(path string, v reflect.Value, into map[string]string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			flat(path, v.Elem(), into)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			into[join(path, key.String())] = "" // that it is there
			flat(join(path, key.String()), v.MapIndex(key), into)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Struct {
			into[path] = strings.Join(strings.Fields(fmt.Sprintf("%q", v.Interface())), " ")
			return
		}
		for i := range v.Len() {
			at, item := fmt.Sprintf("%s.%d", path, i), map[string]string{}
			flat(at, v.Index(i), item)
			maps.DeleteFunc(item, func(_, holds string) bool { return holds == "" }) // keys that are not there
			maps.Copy(into, item)
			into[at] = ""
		}
	case reflect.Struct:
		if _, whole := reflect.TypeAssert[fmt.Stringer](v); whole && v.Type() != reflect.TypeFor[Operator]() {
			into[path] = fmt.Sprint(v.Interface())
			return
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			switch name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); {
			case !f.IsExported():
			case name == "-" && f.Name == "Own": // the type's own keys stand beside the common ones
				flat(path, v.Field(i), into)
			case name != "" && name != "-":
				flat(join(path, name), v.Field(i), into)
			}
		}
	case reflect.String:
		into[path] = v.String() // a Secret too: it stays here
	default:
		into[path] = fmt.Sprint(v.Interface())
	}
}
