package openapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/api/problem"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

const (
	// folder is where the documents are, page where they are shown.
	folder    = "/openapi/"
	page      = "/docs"
	indexFile = folder + "index.json"
	// writeTimeout is how long a caller may take to receive a file.
	writeTimeout = time.Minute
)

// Handler serves the documents of a contract's versions at /openapi/{package}.json, a list of them at
// /openapi/index.json, and the page that shows them at /docs. It is safe for concurrent use.
type Handler struct {
	files map[string]*file // by path
	// Hidden are the paths that are not served, because an operation of the contract has them.
	Hidden []string
}

// New makes the documents. It fails when the contract was not loaded by contract.Load.
func New(c *contract.Contract, opts Options) (*Handler, error) {
	h := &Handler{files: map[string]*file{}}
	list := struct {
		Documents []listed `json:"documents"`
	}{[]listed{}}
	for _, v := range c.Versions {
		doc, err := Document(v, opts)
		if err != nil {
			return nil, err
		}
		name := string(v.Package) + ".json"
		if err := h.add(folder+name, jsonType, doc); err != nil {
			return nil, err
		}
		list.Documents = append(list.Documents, listed{Name: string(v.Package), URL: name})
	}
	var index bytes.Buffer
	if err := appendJSON(&index, list); err != nil {
		return nil, err
	}
	if err := h.add(indexFile, jsonType, index.Bytes()); err != nil {
		return nil, err
	}
	if err := h.addPage(); err != nil {
		return nil, err
	}
	if err := h.giveWay(c); err != nil {
		return nil, err
	}
	return h, nil
}

// listed is an entry of the list of documents.
type listed struct {
	Name string `json:"name"` // the package
	URL  string `json:"url"`  // relative to the list
}

// giveWay leaves paths that operations have to those.
func (h *Handler) giveWay(c *contract.Contract) error {
	for _, op := range c.Operations() {
		for _, rule := range op.Rules {
			tmpl, err := contract.ParseTemplate(rule.Template)
			if err != nil {
				return fmt.Errorf("%s: template %q: %w", op.Name, rule.Template, err)
			}
			for path := range h.files {
				if matches(tmpl, path) {
					delete(h.files, path)
					h.Hidden = append(h.Hidden, path)
				}
			}
		}
	}
	slices.Sort(h.Hidden)
	return nil
}

// matches tells whether a template takes a path.
func matches(t contract.Template, path string) bool {
	if t.Verb != "" {
		return false // no file has a colon
	}
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, s := range t.Flat() {
		if s == "**" {
			return true
		}
		if i >= len(segments) {
			return false
		}
		if text, err := url.PathUnescape(s); s != "*" && (err != nil || text != segments[i]) {
			return false
		}
	}
	return len(t.Flat()) == len(segments)
}

// Serves tells whether a path is one of the handler's.
func (h *Handler) Serves(path string) bool {
	return h.files[path] != nil
}

// ServeHTTP answers with a file. Callers ask Serves first.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// It fails for connections without deadlines only, as in tests.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	f := h.files[r.URL.Path]
	switch {
	case f == nil:
		problem.Write(w, http.StatusNotFound, strangler.Fail(codes.NotFound, "NO_SUCH_PATH", "there is nothing at %s", r.URL.Path))
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		problem.Write(w, http.StatusMethodNotAllowed,
			strangler.Fail(codes.Unimplemented, "METHOD_NOT_ALLOWED", "%s is not served with %s; use GET or HEAD", r.URL.Path, r.Method))
	default:
		f.serve(w, r)
	}
}

// file is what is served at a path, always compressed and mostly as it is.
type file struct {
	kind  string // Content-Type
	plain []byte // nil: it is unpacked for the few who can't
	gz    []byte
	tag   string
	page  bool
}

// add makes a file of its content.
func (h *Handler) add(path, kind string, content []byte) error {
	var gz bytes.Buffer
	z, err := gzip.NewWriterLevel(&gz, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(content); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	h.files[path] = &file{kind: kind, plain: content, gz: gz.Bytes(), tag: tagOf(content)}
	return nil
}

// tagOf names content.
func tagOf(content []byte) string {
	const enough = 12 // bytes of the hash
	sum := sha256.Sum256(content)
	return base64.RawURLEncoding.EncodeToString(sum[:enough])
}

// serve answers with the file, or that the caller has it.
func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Type", f.kind)
	head.Set("Cache-Control", "no-cache") // kept, but asked about: another build may say something else
	head.Set("Vary", "Accept-Encoding")
	head.Set("X-Content-Type-Options", "nosniff")
	if f.page {
		head.Set("Content-Security-Policy", policy)
		head.Set("Referrer-Policy", "no-referrer")
	}
	content, tag := f.plain, f.tag
	switch {
	case acceptsGzip(r.Header.Values("Accept-Encoding")):
		content, tag = f.gz, f.tag+"-gz" // another representation has another tag (RFC 9110, 8.8.3)
		head.Set("Content-Encoding", "gzip")
	case content == nil:
		var err error
		if content, err = unpack(f.gz); err != nil {
			problem.Write(w, http.StatusInternalServerError, strangler.AsError(err))
			return
		}
	}
	head.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

func unpack(gz []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(gz))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3).
func acceptsGzip(headers []string) bool {
	for _, part := range strings.Split(strings.Join(headers, ","), ",") {
		coding, params, _ := strings.Cut(part, ";")
		name, weight, _ := strings.Cut(params, "=")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		return !strings.EqualFold(strings.TrimSpace(name), "q") || strings.Trim(strings.TrimSpace(weight), "0.") != ""
	}
	return false
}
