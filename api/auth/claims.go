package auth

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// decodeClaims reads a token's claims. Whole numbers stay exact: int64, else uint64, else their digits as text.
func decodeClaims(payload []byte) (map[string]any, bool) {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var claims map[string]any
	if err := decoder.Decode(&claims); err != nil || claims == nil || decoder.More() {
		return nil, false
	}
	for name, v := range claims {
		claims[name] = plain(v)
	}
	delete(claims, certificateClaim)
	return claims, true
}

// plain takes json.Number out of a value.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(v.String())
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plain(v[name])
		}
	}
	return v
}

func number(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n
	}
	whole := true
	for i := range len(text) {
		whole = whole && (text[i] >= '0' && text[i] <= '9' || i == 0 && text[i] == '-')
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && !whole {
		return f
	}
	return text
}

// instant reads a NumericDate (RFC 7519, 2): seconds since 1970, with a fraction or without. What is too far away for a
// clock is as far as one goes.
func instant(v any) (time.Time, bool) {
	const farthest = 1 << 50 // seconds; some 36 million years
	switch v := v.(type) {
	case int64:
		return time.Unix(max(-farthest, min(farthest, v)), 0), true
	case uint64:
		return time.Unix(farthest, 0), true
	case float64:
		if v > farthest || v < -farthest {
			return time.Unix(int64(math.Copysign(farthest, v)), 0), true
		}
		whole, fraction := math.Modf(v)
		return time.Unix(int64(whole), int64(fraction*float64(time.Second))), true
	}
	return time.Time{}, false
}

// has says whether a claim is one of texts, or a list with one of them (RFC 7519, 4.1.3).
func has(claim any, texts []string) bool {
	list, ok := claim.([]any)
	if !ok {
		list = []any{claim}
	}
	for _, one := range list {
		for _, text := range texts {
			if one == text {
				return true
			}
		}
	}
	return false
}
