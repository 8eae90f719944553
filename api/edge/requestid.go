package edge

import "crypto/rand"

// RequestIDHeader is the header (metadata key) that carries the request id, both ways.
const RequestIDHeader = "x-request-id"

// maxRequestID bounds what is taken over into logs.
const maxRequestID = 128

// RequestID gives the caller's id when it is sane (1 to 128 characters of A-Z a-z 0-9 - _ . : / + = @), else a new one.
func RequestID(given string) string {
	if given == "" || len(given) > maxRequestID {
		return rand.Text()
	}
	for i := range len(given) {
		c := given[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '-', c == '_', c == '.', c == ':', c == '/', c == '+', c == '=', c == '@':
		default:
			return rand.Text()
		}
	}
	return given
}
