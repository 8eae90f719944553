package openapi

import (
	"embed"
	"fmt"
	"path"

	"github.com/swaggest/swgui/v5/static"
)

// The page is ours; what shows a document in it is Swagger UI, from a Go module that carries its build.
//
//go:embed page
var pageFiles embed.FS

// policy lets the page load what is served beside it and talk to the API that it stands at, and nothing else. Swagger UI
// writes styles into elements, and has its icons in data.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// addPage adds the page and what it loads.
func (h *Handler) addPage() error {
	for _, f := range []struct{ path, name, kind string }{
		{page, "index.html", "text/html; charset=utf-8"},
		{page + "/docs.js", "docs.js", "text/javascript; charset=utf-8"},
		{page + "/docs.css", "docs.css", "text/css; charset=utf-8"},
	} {
		content, err := pageFiles.ReadFile(path.Join("page", f.name))
		if err != nil {
			return fmt.Errorf("the page of the documents: %w", err)
		}
		if err := h.add(f.path, f.kind, content); err != nil {
			return err
		}
	}
	h.files[page].page = true
	for _, f := range []struct{ name, kind string }{
		{"swagger-ui-bundle.js", "text/javascript; charset=utf-8"},
		{"swagger-ui-standalone-preset.js", "text/javascript; charset=utf-8"},
		{"swagger-ui.css", "text/css; charset=utf-8"},
	} {
		gz, err := static.FS.ReadFile(f.name + ".gz")
		if err != nil {
			return fmt.Errorf("the page of the documents: %w", err)
		}
		h.files[page+"/"+f.name] = &file{kind: f.kind, gz: gz, tag: tagOf(gz)}
	}
	icon, err := static.FS.ReadFile("favicon-32x32.png")
	if err != nil {
		return fmt.Errorf("the page of the documents: %w", err)
	}
	return h.add(page+"/icon.png", "image/png", icon)
}
