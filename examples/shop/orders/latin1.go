package orders

import "strings"

// The old shop stores texts in MySQL's latin1, which is Windows-1252 with the five bytes that this lacks as control characters,
// and compares them by latin1_swedish_ci. Both are the shop's rules for as long as it has a say: a text that it can't hold is
// refused, and a search finds what it would find.

// windows are the characters of the bytes from 0x80 to 0x9F.
const windows = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ"

// weights are what latin1_swedish_ci compares the bytes from 0xC0 on by; below, only lower case counts as upper case.
const weights = "AAAA\\[\\CEEEEIIIIDNOOOO]\xd7\xd8UUUYY\xde\xdf" + "AAAA\\[\\CEEEEIIIIDNOOOO]\xf7\xd8UUUYY\xde\xff"

// latin1Of gives the byte of a character.
func latin1Of(c rune) (b byte, ok bool) {
	if c < 0x80 || c >= 0xA0 && c <= 0xFF {
		return byte(c), true //nolint:gosec // see the condition
	}
	at := byte(0x80)
	for _, w := range windows {
		if w == c {
			return at, true
		}
		at++
	}
	return 0, false
}

// holdable says whether the old shop can hold a text.
func holdable(s string) bool {
	for _, c := range s {
		if _, ok := latin1Of(c); !ok {
			return false
		}
	}
	return true
}

// fold gives what a text is compared by, byte by byte. A character that latin1 lacks is compared as a question mark, as MySQL
// converts it.
func fold(s string) []byte {
	out := make([]byte, 0, len(s))
	for _, c := range s {
		b, ok := latin1Of(c)
		switch {
		case !ok:
			b = '?'
		case b >= 0xC0:
			b = weights[b-0xC0]
		case b >= 'a' && b <= 'z':
			b -= 'a' - 'A'
		}
		out = append(out, b)
	}
	return out
}

// equal gives what two texts have in common that are equal to MySQL: spaces at the end don't count.
func equal(s string) string { return strings.TrimRight(string(fold(s)), " ") }

// escape gives a text as the old shop stores some of them: it escaped HTML on the way in.
func escape(s string) string { return escaper().Replace(s) }

func escaper() *strings.Replacer {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")
}

// successor gives the least bytes that are greater than all that begin with prefix; nil when there are none.
func successor(prefix []byte) []byte {
	for n := len(prefix) - 1; n >= 0; n-- {
		if prefix[n] < 0xFF {
			out := append([]byte(nil), prefix[:n+1]...)
			out[n]++
			return out
		}
	}
	return nil
}
