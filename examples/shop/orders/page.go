package orders

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"

	"google.golang.org/protobuf/proto"
)

// How large pages are, as the facade's own.
const (
	defaultPage = 50
	mostPage    = 1000
)

// place is where a page begins: behind the order with this id, and this value of what the list is ordered by. The zero value
// is the beginning.
type place struct {
	value, id int64
	set       bool
}

// pageSize gives how many orders a page has.
func pageSize(wish int32) (int, error) {
	switch {
	case wish < 0:
		return 0, field("page_size", "must not be negative")
	case wish == 0:
		return defaultPage, nil
	default:
		return min(int(wish), mostPage), nil
	}
}

// fingerprint tells requests apart whose lists differ. The request is a copy without its page's fields.
func fingerprint(request proto.Message) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(request.ProtoReflect().Descriptor().FullName())) // a hash never fails
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil { // the request was decoded from valid bytes
		return 0
	}
	_, _ = h.Write(b)
	return h.Sum64()
}

const sealed = 24 // bytes of a token without its seal

// token seals where a page ended.
func (d *database) token(print uint64, at place) string {
	b := binary.BigEndian.AppendUint64(nil, print)
	b = binary.BigEndian.AppendUint64(b, uint64(at.value)) //nolint:gosec // and back
	b = binary.BigEndian.AppendUint64(b, uint64(at.id))    //nolint:gosec // and back
	return base64.RawURLEncoding.EncodeToString(append(b, d.seal(b)...))
}

// place opens a token.
func (d *database) place(print uint64, token string) (place, error) {
	if token == "" {
		return place{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < sealed || !hmac.Equal(b[sealed:], d.seal(b[:sealed])) {
		return place{}, field("page_token", "is not a token of this list as it is answered now; start again without one")
	}
	if binary.BigEndian.Uint64(b) != print {
		return place{}, field("page_token", "was given for a list with other parameters; send the same ones with every page, or start again without a token")
	}
	return place{int64(binary.BigEndian.Uint64(b[8:])), int64(binary.BigEndian.Uint64(b[16:])), true}, nil //nolint:gosec // see token
}

func (d *database) seal(b []byte) []byte {
	mac := hmac.New(sha256.New, d.pages)
	_, _ = mac.Write(b) // a hash never fails
	return mac.Sum(nil)[:16]
}
