package app

import (
	"io"
	"net/http"
	"time"
)

// boundBody gives the client bodyTimeout to send the request's body. http.Server's own ReadTimeout would go on while the
// call runs, and cancel it.
func boundBody(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 { // HTTP/2 has a body even where there is none
		return
	}
	control := http.NewResponseController(w)
	if control.SetReadDeadline(time.Now().Add(bodyTimeout)) != nil {
		return // a connection without deadlines, as in tests
	}
	r.Body = &timedBody{ReadCloser: r.Body, control: control}
}

// timedBody lifts the deadline when all of the body has come.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{}) // it could be set, so it can be lifted
	}
	return n, err
}
