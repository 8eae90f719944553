package edge

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Notice tells callers of a version that it will go.
type Notice struct {
	// Deprecated is when it was, or will be, deprecated (RFC 9745); zero: it is not.
	Deprecated time.Time
	// Sunset is from when on it may not be answered any more (RFC 8594); zero: nothing is said of that.
	Sunset time.Time
	// Refused says that it is not answered from Sunset on. No header tells that; documents do.
	Refused bool
	// Link is the address of a page for people that says what to do; "" for none.
	Link string
}

// Field is a header of HTTP in its canonical form, and metadata of gRPC in lower case.
type Field struct{ Name, Value string }

// Fields give the notice as headers.
func (n Notice) Fields() []Field {
	var out []Field
	var relations []string
	if !n.Deprecated.IsZero() {
		out = append(out, Field{"Deprecation", "@" + strconv.FormatInt(n.Deprecated.Unix(), 10)})
		relations = append(relations, "deprecation")
	}
	if !n.Sunset.IsZero() {
		out = append(out, Field{"Sunset", n.Sunset.UTC().Format(http.TimeFormat)})
		relations = append(relations, "sunset")
	}
	if n.Link != "" && len(relations) > 0 {
		out = append(out, Field{"Link", "<" + n.Link + `>; rel="` + strings.Join(relations, " ") + `"; type="text/html"`})
	}
	return out
}
