// Package schemas_test holds what is deployed against the types of those who read it: Kubernetes and Compose. It is a module of
// its own, so that theirs are no part of the program's.
package schemas_test

import (
	"bufio"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	kjson "sigs.k8s.io/json"
	sigs "sigs.k8s.io/yaml"
)

const chart = "../../helm/postern"

// given are values that make a gateway.
func given(more string) string {
	return `
config:
  server: {component: "prosody:5347", domain: example.org}
  store: {redis: "redis+sentinel://redis:26379/mymaster?db=0"}
  http: {public_url: "https://gateway.example.org"}
  adapters:
    gatekeeper: {type: gatekeeper, jid: gatekeeper.example.org, base_url: "https://interop.example.com", client_id: postern,
      secret_file: gatekeeper.secret, key_file: gatekeeper.pem, webhook_secret_file: gatekeeper.webhook}
` + more
}

const plain = `secrets: {values: {store.key: "a", gatekeeper.secret: "b", gatekeeper.pem: "c", gatekeeper.webhook: "d"}}`

// everything switches on what is off, and the other way round.
const everything = `
secrets: {existingSecret: mine}
replicaCount: 3
persistence: {enabled: true, size: 3Gi, storageClass: fast}
ingress: {enabled: true, className: nginx, host: gateway.example.org, tlsSecret: cert, annotations: {a/b: c}}
networkPolicy: {enabled: true, adminFrom: [{namespaceSelector: {matchLabels: {name: monitoring}}}]}
serviceMonitor: {enabled: true, labels: {release: prometheus}}
antiAffinity: hard
env: [{name: HTTPS_PROXY, value: "http://proxy:3128"}]
nodeSelector: {kubernetes.io/arch: amd64}
tolerations: [{key: a, operator: Exists}]
podAnnotations: {x: "1"}
podLabels: {y: "2"}
imagePullSecrets: [{name: registry}]
`

// render returns the documents of the chart by kind and name, decoded strictly: a field that Kubernetes does not have is an error.
func render(t *testing.T, values string) (map[string]any, error) {
	t.Helper()
	c, err := loader.Load(chart)
	if err != nil {
		t.Fatal(err)
	}
	v, err := chartutil.ReadValues([]byte(values))
	if err != nil {
		t.Fatal(err)
	}
	if err := chartutil.ProcessDependencies(c, v); err != nil {
		t.Fatal(err)
	}
	all, err := chartutil.ToRenderValues(c, v, chartutil.ReleaseOptions{Name: "gate", Namespace: "xmpp", IsInstall: true}, chartutil.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for d := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(files[name]))); ; {
			doc, err := d.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			key, object := decode(t, name, doc)
			if key != "" {
				out[key] = object
			}
		}
	}
	return out, nil
}

// decode reads one document into the type that its kind has.
func decode(t *testing.T, file string, doc []byte) (string, any) {
	t.Helper()
	var head struct {
		meta.TypeMeta `json:",inline"`
		Metadata      struct{ Name string } `json:"metadata"`
	}
	if err := sigs.Unmarshal(doc, &head); err != nil {
		t.Fatalf("%s: %v\n%s", file, err, doc)
	}
	types := map[string]any{
		"v1/ConfigMap": &core.ConfigMap{}, "v1/Secret": &core.Secret{}, "v1/Service": &core.Service{}, "apps/v1/StatefulSet": &apps.StatefulSet{},
		"policy/v1/PodDisruptionBudget": &policy.PodDisruptionBudget{}, "networking.k8s.io/v1/NetworkPolicy": &networking.NetworkPolicy{},
		"networking.k8s.io/v1/Ingress": &networking.Ingress{}, "monitoring.coreos.com/v1/ServiceMonitor": &monitoring.ServiceMonitor{},
	}
	kind := head.APIVersion + "/" + head.Kind
	object := types[kind]
	if kind == "/" { // a file that is switched off
		return "", nil
	}
	if object == nil {
		t.Fatalf("%s: got a %s, which this test does not know", file, kind)
	}
	asJSON, err := sigs.YAMLToJSONStrict(doc)
	if err != nil {
		t.Fatalf("%s: %v\n%s", file, err, doc)
	}
	strict, err := kjson.UnmarshalStrict(asJSON, object)
	for _, e := range append(strict, err) {
		if e != nil {
			t.Errorf("%s: %s: %v", file, kind, e)
		}
	}
	return head.Kind + " " + head.Metadata.Name, object
}

func TestChart(t *testing.T) {
	for name, c := range map[string]struct {
		values string
		want   []string
	}{
		"as it comes": {plain, []string{"ConfigMap gate-postern", "NetworkPolicy gate-postern", "PodDisruptionBudget gate-postern", "Secret gate-postern", "Service gate-postern", "Service gate-postern-replicas", "StatefulSet gate-postern"}},
		"all": {everything, []string{
			"ConfigMap gate-postern", "Ingress gate-postern", "NetworkPolicy gate-postern", "PodDisruptionBudget gate-postern",
			"Service gate-postern", "Service gate-postern-replicas", "ServiceMonitor gate-postern", "StatefulSet gate-postern",
		}},
		"little": {plain + "\nnetworkPolicy: {enabled: false}\npodDisruptionBudget: {enabled: false}\nantiAffinity: 'off'", []string{
			"ConfigMap gate-postern", "Secret gate-postern", "Service gate-postern", "Service gate-postern-replicas", "StatefulSet gate-postern",
		}},
	} {
		got, err := render(t, given(c.values))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, c.want) {
			t.Errorf("%s: got %v, want %v", name, keys, c.want)
		}
		pods(t, name, got)
	}
}

// pods checks what keeps a pod harmless and alive.
func pods(t *testing.T, name string, all map[string]any) {
	t.Helper()
	set, ok := all["StatefulSet gate-postern"].(*apps.StatefulSet)
	if !ok {
		t.Fatalf("%s: got no stateful set", name)
	}
	spec := set.Spec.Template.Spec
	c := spec.Containers[0]
	if s := c.SecurityContext; !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" {
		t.Errorf("%s: got security context %v", name, s)
	}
	if s := spec.SecurityContext; !*s.RunAsNonRoot || *s.RunAsUser == 0 || s.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
		t.Errorf("%s: got security context of the pod %v", name, s)
	}
	for path, p := range map[string]*core.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		if p.HTTPGet.Path != path || p.HTTPGet.Port.String() != "admin" {
			t.Errorf("%s: got probe %v, want %s", name, p.HTTPGet, path)
		}
	}
	if *set.Spec.Replicas < 2 {
		t.Errorf("%s: got %d replicas, want 2 or more", name, *set.Spec.Replicas)
	}
	volumes := map[string]bool{}
	for _, v := range spec.Volumes {
		volumes[v.Name] = true
	}
	for _, v := range set.Spec.VolumeClaimTemplates {
		volumes[v.Name] = true
	}
	for _, m := range c.VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("%s: mount %s has no volume", name, m.Name)
		}
	}
	for kind, object := range all { // everything that selects finds the pods
		for key, want := range selector(object) {
			if got := set.Spec.Template.Labels[key]; got != want {
				t.Errorf("%s: %s selects %s=%s, pods have %q", name, kind, key, want, got)
			}
		}
	}
}

func selector(object any) map[string]string {
	switch o := object.(type) {
	case *core.Service:
		return o.Spec.Selector
	case *policy.PodDisruptionBudget:
		return o.Spec.Selector.MatchLabels
	case *networking.NetworkPolicy:
		return o.Spec.PodSelector.MatchLabels
	case *apps.StatefulSet:
		return o.Spec.Selector.MatchLabels
	}
	return nil
}

// TestChartRefuses: what is missing is said before anything is installed.
func TestChartRefuses(t *testing.T) {
	for want, values := range map[string]string{
		"name the domain of your users": plain, "name an existing Secret": given(""), "want hard, soft or off": given(plain + "\nantiAffinity: maybe"),
		"a gateway needs an adapter": "config: {server: {component: 'x:1', domain: example.org}}\n" + plain,
		"ingress.host":               given(plain + "\ningress: {enabled: true}"),
	} {
		if _, err := render(t, values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestChartLints(t *testing.T) {
	v, err := chartutil.ReadValues([]byte(given(plain)))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range lint.All(chart, v, "xmpp", true).Messages {
		if m.Severity > support.InfoSev {
			t.Errorf("%v", m)
		}
	}
}

// TestChartConfigures: what the pods read is a configuration that the program takes.
func TestChartConfigures(t *testing.T) {
	got, err := render(t, given(plain))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "postern")
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	run("go", "build", "-C", "../../..", "-buildvcs=false", "-o", program, "./cmd/postern")
	conf := filepath.Join(dir, "conf")
	run(program, "init", "--yes", "--domain", "example.org", "--no-probe", "--out", conf) // for secrets that are some
	text := got["ConfigMap gate-postern"].(*core.ConfigMap).Data["postern.yaml"]
	if err := os.WriteFile(filepath.Join(conf, "postern.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(program, "check", "-c", filepath.Join(conf, "postern.yaml")); !strings.Contains(out, "ok, 1 adapter") {
		t.Errorf("got %s\n%s", out, text)
	}
	var asked map[string]any
	if err := sigs.Unmarshal([]byte(text), &asked); err != nil {
		t.Fatal(err)
	}
	if asked["state_dir"] != "/var/lib/postern" {
		t.Errorf("got state_dir %v", asked["state_dir"])
	}
}
