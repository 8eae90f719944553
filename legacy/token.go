package legacy

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// tokenVersion is the first byte inside a page token.
const tokenVersion = 1

// errToken says that a page token is none of ours, or not of this request.
var errToken = errors.New("the token is not one that this list gave")

// sealer makes page tokens opaque and authenticated (AIP-158): AES-256-GCM under keys derived from the configured
// secrets. The first key seals, all open, so that keys can be rotated.
type sealer struct {
	aeads []cipher.AEAD
}

func newSealer(secrets []string) (*sealer, error) {
	keys := make([][]byte, 0, len(secrets))
	for _, s := range secrets {
		k, err := hkdf.Key(sha256.New, []byte(s), nil, "banyan page tokens", 32)
		if err != nil {
			return nil, fmt.Errorf("deriving a page token key: %w", err)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		k := make([]byte, 32)
		if _, err := rand.Read(k); err != nil {
			return nil, fmt.Errorf("making a page token key: %w", err)
		}
		keys = append(keys, k)
	}
	out := &sealer{}
	for _, k := range keys {
		block, err := aes.NewCipher(k)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		out.aeads = append(out.aeads, aead)
	}
	return out, nil
}

// cursor is what a token carries: where the last page ended, in the order it was read in, for one operation and one
// set of filters.
type cursor struct {
	fingerprint uint64
	order       uint8    // which ORDER BY of the statement
	values      [][]byte // one for each of its items; nil is NULL
}

func (s *sealer) seal(c *cursor) string {
	plain := make([]byte, 0, 64)
	plain = append(plain, tokenVersion)
	plain = binary.BigEndian.AppendUint64(plain, c.fingerprint)
	plain = append(plain, c.order, byte(len(c.values)))
	for _, v := range c.values {
		if v == nil {
			plain = binary.AppendUvarint(plain, 0)
			continue
		}
		plain = binary.AppendUvarint(plain, uint64(len(v))+1)
		plain = append(plain, v...)
	}
	return base64.RawURLEncoding.EncodeToString(s.aeads[0].Seal(nil, nil, plain, nil))
}

func (s *sealer) open(token string) (*cursor, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, errToken
	}
	for _, aead := range s.aeads {
		if plain, err := aead.Open(nil, nil, sealed, nil); err == nil {
			return parseCursor(plain)
		}
	}
	return nil, errToken
}

func parseCursor(b []byte) (*cursor, error) {
	if len(b) < 11 || b[0] != tokenVersion {
		return nil, errToken
	}
	c := &cursor{fingerprint: binary.BigEndian.Uint64(b[1:9]), order: b[9]}
	n := int(b[10])
	b = b[11:]
	for range n {
		size, w := binary.Uvarint(b)
		if w <= 0 || size > uint64(len(b)-w)+1 {
			return nil, errToken
		}
		b = b[w:]
		if size == 0 {
			c.values = append(c.values, nil)
			continue
		}
		c.values = append(c.values, b[:size-1:size-1])
		b = b[size-1:]
	}
	if len(b) != 0 {
		return nil, errToken
	}
	return c, nil
}
