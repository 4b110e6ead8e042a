package media

import (
	"archive/zip"
	"bytes"
	"mime"
	"path"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"postern/gateway"
)

// box is the beginning of an ISO base media file with a brand (ISO/IEC 14496-12 §4.3).
func box(brand string) string {
	return "\x00\x00\x00\x18ftyp" + brand + "\x00\x00\x00\x00" + brand + "isom"
}

// ogg is the beginning of an Ogg stream (RFC 3533 §6) whose first packet begins so.
func ogg(packet string) string {
	return "OggS\x00\x02" + strings.Repeat("\x00", 20) + "\x01\x13" + packet + strings.Repeat("\x00", 40)
}

func zipped(t *testing.T, names ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range names {
		w, err := z.CreateHeader(&zip.FileHeader{Name: n, Method: zip.Store})
		if err == nil {
			_, err = w.Write([]byte("<xml/>"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRecognise(t *testing.T) {
	const webp = "RIFF\x24\x00\x00\x00WEBPVP8 "
	tests := []struct {
		what, head string
		claim      gateway.Media
		mime, name string
		kind       gateway.MediaKind
		served     string // as mime, when empty
	}{
		{"pdf that claims to be an image", "%PDF-1.7\n", gateway.Media{MIME: "image/png", Name: "a.png", Kind: gateway.MediaImage}, "application/pdf", "a.pdf", gateway.MediaFile, ""},
		{"voice note", ogg("OpusHead"), gateway.Media{MIME: "audio/ogg; codecs=opus", Kind: gateway.MediaVoice}, "audio/ogg", "voice.ogg", gateway.MediaVoice, ""},
		{"voice note in .oga", ogg("OpusHead"), gateway.Media{Name: "x.oga", Kind: gateway.MediaVoice}, "audio/ogg", "x.oga", gateway.MediaVoice, ""},
		{"m4a", box("M4A "), gateway.Media{Kind: gateway.MediaVoice}, "audio/mp4", "voice.m4a", gateway.MediaVoice, ""},
		{"voice note of a phone", box("mp42"), gateway.Media{MIME: "audio/mp4", Name: "rec.mp4", Kind: gateway.MediaVoice}, "audio/mp4", "rec.mp4", gateway.MediaVoice, ""},
		{"video", box("isom"), gateway.Media{Name: "v.mov", Kind: gateway.MediaVideo}, "video/mp4", "v.mp4", gateway.MediaVideo, ""},
		{"animation sent as image", box("isom"), gateway.Media{Name: "a.gif", Kind: gateway.MediaImage}, "video/mp4", "a.mp4", gateway.MediaVideo, ""},
		{"heic", box("heic"), gateway.Media{Name: "IMG_1.HEIC"}, "image/heic", "IMG_1.heic", gateway.MediaImage, ""},
		{"avif", box("avif"), gateway.Media{}, "image/avif", "image.avif", gateway.MediaImage, ""},
		{"mp3", "ID3\x03\x00\x00", gateway.Media{Name: "song.mp3", Kind: gateway.MediaAudio}, "audio/mpeg", "song.mp3", gateway.MediaAudio, ""},
		{"webm of a browser's recorder", "\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm", gateway.Media{Kind: gateway.MediaVoice}, "audio/webm", "voice.weba", gateway.MediaVoice, ""},
		{"sent as a document", "%PDF-1.7\n", gateway.Media{Kind: gateway.MediaFile, Name: "Dr. Smith"}, "application/pdf", "Dr. Smith.pdf", gateway.MediaFile, ""},
		{"vcard", "BEGIN:VCARD\r\nVERSION:3.0\r\n", gateway.Media{Name: "anna.vcf"}, "text/vcard", "anna.vcf", gateway.MediaFile, ""},
		{"csv by its claim", "a,b\n1,2\n", gateway.Media{MIME: "text/csv; charset=utf-8", Name: "t.csv"}, "text/csv", "t.csv", gateway.MediaFile, ""},
		{"html", "<!DOCTYPE html><script>alert(1)</script>", gateway.Media{MIME: "image/jpeg", Name: "cat.jpg", Kind: gateway.MediaImage}, "text/html", "cat.html", gateway.MediaFile, unknown},
		{"text that claims to be html", "hello", gateway.Media{MIME: "text/html", Name: "a.html"}, "text/plain", "a.txt", gateway.MediaFile, ""},
		{"text that claims to be a script", "hello", gateway.Media{MIME: "text/javascript", Name: "a.js"}, "text/plain", "a.txt", gateway.MediaFile, ""},
		{"svg", `<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>`, gateway.Media{MIME: "image/png", Kind: gateway.MediaImage, Name: "a.png"}, "image/svg+xml", "a.svg", gateway.MediaFile, unknown},
		{"xml", `<?xml version="1.0"?><a/>`, gateway.Media{Name: "a.xml"}, "text/xml", "a.xml", gateway.MediaFile, unknown},
		{"program", "MZ\x90\x00" + strings.Repeat("\x00", 60), gateway.Media{MIME: "image/jpeg", Name: "cat.jpg"}, "application/vnd.microsoft.portable-executable", "cat.exe", gateway.MediaFile, unknown},
		{"shell script", "#!/bin/sh\nrm -rf /\n", gateway.Media{Name: "cat.jpg"}, "text/x-shellscript", "cat.sh", gateway.MediaFile, unknown},
		{"nothing known", "\x00\x01\x02\x03", gateway.Media{MIME: "image/jpeg", Name: "cat.jpg", Kind: gateway.MediaImage}, unknown, "cat.bin", gateway.MediaFile, ""},
		{"nothing known, with an extension", "\x00\x01\x02\x03", gateway.Media{Name: "save.dat2"}, unknown, "save.dat2", gateway.MediaFile, ""},
		{"word processor", zipped(t, "[Content_Types].xml", "word/document.xml"), gateway.Media{Name: "a.docx"}, "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "a.docx", gateway.MediaFile, ""},
		{"zip", zipped(t, "a.txt"), gateway.Media{Name: "a.zip", MIME: "application/octet-stream"}, "application/zip", "a.zip", gateway.MediaFile, ""},
		{"zip by its claim", zipped(t, "a.txt"), gateway.Media{Name: "a.epub", MIME: "application/epub+zip"}, "application/epub+zip", "a.epub", gateway.MediaFile, ""},
		{"broken webp", webp, gateway.Media{Kind: gateway.MediaImage, Thumb: "data:image/jpeg;base64,AA=="}, "image/webp", "file.webp", gateway.MediaFile, ""},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			m := tt.claim
			if err := recognise(&m, []byte(tt.head), strings.NewReader(tt.head)); err != nil {
				t.Fatal(err)
			}
			if m.MIME != tt.mime || m.Name != tt.name || m.Kind != tt.kind {
				t.Errorf("got %s %q %s, want %s %q %s", m.MIME, m.Name, m.Kind, tt.mime, tt.name, tt.kind)
			}
			if tt.served == "" {
				tt.served = tt.mime
			}
			if got := served(m.MIME); got != tt.served {
				t.Errorf("served as %s, want %s", got, tt.served)
			}
			if m.Kind == gateway.MediaFile && m.Thumb != "" {
				t.Errorf("got thumb %q for what is no image", m.Thumb)
			}
		})
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("ä", 200)
	tests := []struct{ name, mime, want, ascii string }{
		{"cat.jpg", "image/jpeg", "cat.jpg", "cat.jpg"},
		{"CAT.JPEG", "image/jpeg", "CAT.jpeg", "CAT.jpeg"},
		{"договор.pdf", "application/pdf", "договор.pdf", "file.pdf"},
		{"Müller & Söhne (1).pdf", "application/pdf", "Müller & Söhne (1).pdf", "Muller_Sohne_1.pdf"},
		{"../../etc/passwd", "text/plain", "passwd.txt", "passwd.txt"},
		{`C:\Users\x\a.txt`, "text/plain", "a.txt", "a.txt"},
		{".htaccess", "text/plain", "file.htaccess", "file.htaccess"},
		{"main.go", "text/plain", "main.go", "main.go"},
		{"a.php", "text/plain", "a.txt", "a.txt"},
		{"v1.2", "application/pdf", "v1.2.pdf", "v1.2.pdf"},
		{"backup.tar.gz", "application/gzip", "backup.tar.gz", "backup.tar.gz"},
		{"a\x00b\r\nX-Evil: 1.pdf", "application/pdf", "ab X-Evil 1.pdf", "ab_X-Evil_1.pdf"},
		{"gpj.\u202eexe.pdf", "application/pdf", "gpj.exe.pdf", "gpj.exe.pdf"},
		{"a\xff.pdf", "application/pdf", "a.pdf", "a.pdf"},
		{"", "image/png", "image.png", "image.png"},
		{"...", "image/png", "image.png", "image.png"},
		{"a b.unknownextension", "application/pdf", "a b.unknownextension.pdf", "a_b.unknownextension.pdf"},
		{long + ".pdf", "application/pdf", long[:96] + ".pdf", strings.Repeat("a", 48) + ".pdf"},
	}
	for _, tt := range tests {
		got := safeName(tt.name, tt.mime, kind("", tt.mime))
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.name, got, tt.want)
		}
		if ascii := asciiName(got); ascii != tt.ascii {
			t.Errorf("%q in a URL: got %q, want %q", tt.name, ascii, tt.ascii)
		}
	}
}

func FuzzSafeName(f *testing.F) {
	for _, s := range []string{"cat.jpg", "../../a", "a\x00.pdf", "\u202egpj.exe", strings.Repeat("ä", 90), ".tar.gz", "a.b c", "CON", "é.é"} {
		f.Add(s, "image/jpeg")
		f.Add(s, "text/plain")
	}
	f.Fuzz(func(t *testing.T, name, is string) {
		m := gateway.Media{Name: name, MIME: is}
		if err := recognise(&m, []byte("plain text"), strings.NewReader("plain text")); err != nil {
			t.Fatal(err)
		}
		for _, got := range []string{m.Name, safeName(name, "image/jpeg", gateway.MediaImage), safeName(name, is, "")} {
			checkName(t, got)
			short := asciiName(got)
			checkName(t, short)
			for _, r := range short {
				if r > unicode.MaxASCII || r == ' ' || r == '%' {
					t.Errorf("%q in a URL: got %q", got, short)
				}
			}
			if path.Ext(short) != path.Ext(got) {
				t.Errorf("%q in a URL: got %q with another extension", got, short)
			}
		}
	})
}

func checkName(t *testing.T, name string) {
	t.Helper()
	if len(name) == 0 || len(name) > maxName || !utf8.ValidString(name) {
		t.Errorf("%q: %d bytes", name, len(name))
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") || strings.Contains(name, "..") || strings.ContainsAny(name, "/\\\"<>:|?*%;") {
		t.Errorf("%q is not safe", name)
	}
	for _, r := range name {
		if !unicode.IsGraphic(r) {
			t.Errorf("%q: got %U", name, r)
		}
	}
	if mime.FormatMediaType("attachment", map[string]string{"filename": name}) == "" {
		t.Errorf("%q does not fit into a header", name)
	}
	if ext := path.Ext(name); len(ext) < 2 || ext != strings.ToLower(ext) {
		t.Errorf("%q: got extension %q", name, ext)
	}
}
