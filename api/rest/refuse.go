package rest

import (
	"net/http"

	"banyan.dev/banyan/api/problem"
	"banyan.dev/banyan/strangler"
)

// refuse answers with an error.
func (s *server) refuse(w http.ResponseWriter, err *strangler.Error) {
	s.write(w, problem.Status(err), err)
}

func (s *server) write(w http.ResponseWriter, status int, err *strangler.Error) {
	s.boundWrites(w)
	problem.Write(w, status, err)
}
