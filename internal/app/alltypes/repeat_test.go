package alltypes

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// quoted gives a text n times, as JSON.
func quoted(text string, n int) string { return `"` + strings.Repeat(text, n) + `"` }

// zeros gives a byte of 1 for each of ones, and n zeros behind, as JSON.
func zeros(ones, n int) string {
	raw := append([]byte(strings.Repeat("\x01", ones)), make([]byte, n)...)
	return `"` + base64.StdEncoding.EncodeToString(raw) + `"`
}

// labelled gives m1, m2 and so on, with quote around and commas between.
func labelled(quote string, n int) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf("%sm%d%s", quote, i+1, quote)
	}
	return strings.Join(members, ",")
}
