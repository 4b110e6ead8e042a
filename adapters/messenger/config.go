package messenger

import (
	"fmt"
	"regexp"
	"time"

	"postern/adapters/internal/graph"
	"postern/adapters/internal/rest"
)

// Platform is which of the two an adapter speaks; it is the adapter's type.
type Platform string

// The platforms.
const (
	Messenger Platform = "messenger"
	Instagram Platform = "instagram"
)

// Ways to log in at Instagram.
const (
	LoginInstagram = "instagram"
	LoginFacebook  = "facebook"
)

// Ways in which a file goes there.
const (
	MediaUpload = "upload"
	MediaLink   = "link"
)

const (
	// maxTimeout keeps a send shorter than a shard's lease (15 s) less its renewal (5 s), so that no send outlives its owner.
	maxTimeout = 9 * time.Second
	// minToken is the shortest verify token, in characters.
	minToken = 16
	// Hosts of Instagram Login.
	instagramBase   = "https://graph.instagram.com"
	instagramDialog = "https://www.instagram.com"
	instagramToken  = "https://api.instagram.com"
)

var (
	// idForm is an id of a page, an account or a person.
	idForm       = regexp.MustCompile(`^[0-9]{3,30}$`)
	tokenForm    = regexp.MustCompile(`^[A-Za-z0-9_.|-]{20,1000}$`)
	usernameForm = regexp.MustCompile(`^[A-Za-z0-9._]{1,75}$`)
)

// Config says which app of Meta's calls, how webhooks are known, and whether there is a page for all.
type Config struct {
	// Platform is set by who makes the configuration, never by a file.
	Platform Platform `yaml:"-"`
	// Login is how accounts of Instagram log in: instagram or facebook. Messenger has the latter alone.
	Login string `yaml:"login"`
	// BaseURL is the origin of the API, Version its version in use, DialogURL where browsers go to log in, TokenURL where Instagram Login
	// gives tokens for codes. An empty address is the one that belongs to the login.
	BaseURL   string `yaml:"base_url"`
	Version   string `yaml:"version"`
	DialogURL string `yaml:"dialog_url"`
	TokenURL  string `yaml:"token_url"`
	// AppID is the operator's app: that of Meta, or, with Instagram Login, the Instagram app id. Empty: users paste tokens.
	AppID string `yaml:"app_id"`
	// AppSecretFile holds the app's secret, one per line: the first proves our calls, any may sign webhooks.
	AppSecretFile string `yaml:"app_secret_file"`
	// VerifyTokenFile holds what Meta has to name when it checks a webhook's address.
	VerifyTokenFile string `yaml:"verify_token_file"`
	// RegisterApp tells Meta by API where the app's webhooks go; false leaves that to the app's dashboard.
	RegisterApp bool `yaml:"register_app"`
	// LoginID is the app's configuration of Facebook Login for Business; empty asks for the permissions by name.
	LoginID string `yaml:"login_id"`
	// PageID is the operator's page that serves all users, TokenFile a token for it; empty: each user links their own. For Instagram the
	// account is InstagramID, and PageID the page behind it with Facebook Login. Username is the line's name in invites.
	PageID      string `yaml:"page_id"`
	InstagramID string `yaml:"instagram_id"`
	TokenFile   string `yaml:"token_file"`
	Username    string `yaml:"username"`
	// HumanAgent says that Meta has approved the Human Agent feature for the app: then people are answered for seven days.
	HumanAgent bool `yaml:"human_agent"`
	// TakeThread takes a conversation over from another app, such as the page's inbox, when our user writes into it.
	TakeThread bool `yaml:"take_thread"`
	// AnyReaction says that Instagram takes every emoji of this app, rather than the heart alone.
	AnyReaction bool `yaml:"any_reaction"`
	// Media is how files go there: upload, or link, by which Meta fetches them from where the user's server put them.
	Media string `yaml:"media"`
	// MediaHosts are where files may be fetched from besides the API's own host; one that begins with a dot stands for all below it.
	MediaHosts []string `yaml:"media_hosts"`
	// Timeout bounds one send with all that it takes, but a file's way.
	Timeout time.Duration `yaml:"timeout"`
}

// DefaultConfig is what the example configuration of messenger shows.
func DefaultConfig() *Config {
	return &Config{
		Platform: Messenger, Login: LoginFacebook, Version: "v24.0", RegisterApp: true, TakeThread: true, Media: MediaUpload,
		MediaHosts: []string{".fbcdn.net", ".fbsbx.com"}, Timeout: 8 * time.Second,
	}
}

// DefaultInstagramConfig is what the example configuration of instagram shows.
func DefaultInstagramConfig() *Config {
	return &Config{
		Platform: Instagram, Login: LoginInstagram, Version: "v24.0", RegisterApp: true, TakeThread: true, Media: MediaLink,
		MediaHosts: []string{".cdninstagram.com", ".fbcdn.net", ".fbsbx.com"}, Timeout: 8 * time.Second,
	}
}

func (c *Config) name() string { return string(c.Platform) }

// own reports whether accounts log in at Instagram itself.
func (c *Config) own() bool { return c.Login == LoginInstagram }

func (c *Config) base() string { return first(c.BaseURL, c.either(instagramBase, graph.DefaultBase)) }

func (c *Config) dialog() string {
	return first(c.DialogURL, c.either(instagramDialog, graph.DefaultDialog))
}

func (c *Config) tokens() string { return first(c.TokenURL, instagramToken) }

func (c *Config) either(instagram, facebook string) string {
	if c.own() {
		return instagram
	}
	return facebook
}

// lineID is the endpoint of the line, linePage the page that acts for it where that is another; empty without.
func (c *Config) lineID() string {
	if c.Platform == Instagram {
		return c.InstagramID
	}
	return c.PageID
}

func (c *Config) linePage() string {
	if c.Platform == Instagram {
		return c.PageID
	}
	return ""
}

// Origin is where the API is.
func (c *Config) Origin() string { return c.base() }

// Validate checks the values without I/O.
func (c *Config) Validate() error {
	wrong := func(key, why string) error { return fmt.Errorf("%s: %s: %s", c.name(), key, why) }
	for _, u := range []struct{ key, value string }{{"base_url", c.base()}, {"dialog_url", c.dialog()}, {"token_url", c.tokens()}} {
		if _, err := rest.ParseBase(u.value); err != nil {
			return wrong(u.key, "want an absolute https:// or http:// URL without user, query and fragment")
		}
	}
	switch {
	case c.Platform != Messenger && c.Platform != Instagram:
		return fmt.Errorf("messenger: got platform %q, want messenger or instagram", c.Platform)
	case c.Login != LoginFacebook && (c.Login != LoginInstagram || c.Platform == Messenger):
		return wrong("login", "want "+c.logins())
	case c.TokenURL != "" && !c.own():
		return wrong("token_url", "belongs to login: instagram")
	case c.LoginID != "" && c.own():
		return wrong("login_id", "belongs to login: facebook")
	case c.AnyReaction && c.Platform == Messenger:
		return wrong("any_reaction", "belongs to instagram: Messenger takes every emoji")
	case c.Media != MediaUpload && c.Media != MediaLink:
		return wrong("media", "want upload or link")
	case c.Timeout <= 0 || c.Timeout > maxTimeout:
		return wrong("timeout", fmt.Sprintf("got %s, want more than 0 and at most %s", c.Timeout, maxTimeout))
	}
	if err := graph.CheckVersion(c.Version); err != nil {
		return wrong("version", err.Error())
	}
	if err := graph.CheckHosts(c.MediaHosts); err != nil {
		return wrong("media_hosts", err.Error())
	}
	return c.validateApp(wrong)
}

func (c *Config) logins() string {
	if c.Platform == Messenger {
		return "facebook"
	}
	return "instagram or facebook"
}

func (c *Config) validateApp(wrong func(key, why string) error) error {
	for _, f := range []struct{ key, value string }{{"app_secret_file", c.AppSecretFile}, {"verify_token_file", c.VerifyTokenFile}} {
		if f.value == "" {
			return wrong(f.key, "is missing")
		}
	}
	for _, n := range []struct{ key, value string }{
		{"app_id", c.AppID}, {"login_id", c.LoginID}, {"page_id", c.PageID}, {"instagram_id", c.InstagramID},
	} {
		if n.value != "" && !idForm.MatchString(n.value) {
			return wrong(n.key, "want digits")
		}
	}
	switch line := c.lineID() != ""; {
	case c.Platform == Messenger && c.InstagramID != "":
		return wrong("instagram_id", "belongs to type instagram")
	case c.own() && c.PageID != "":
		return wrong("page_id", "belongs to login: facebook")
	case c.Platform == Instagram && !c.own() && (c.PageID != "") != line:
		return wrong("page_id", "goes with instagram_id: the page that the account is linked to")
	case line != (c.TokenFile != ""):
		return wrong("token_file", "belongs to the page or account that serves all users: set both or neither")
	case !line && c.Username != "":
		return wrong("username", "belongs to the page or account that serves all users, which is missing")
	case c.Username != "" && !usernameForm.MatchString(c.Username):
		return wrong("username", "want the name as it stands in an address, without an @")
	}
	return nil
}
