package value

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// MariaDB's UUID, INET4 and INET6 take several texts for one value and give back one of them. A result has them as text,
// so only the schema tells.
const (
	typeUUID  = "UUID"
	typeINET4 = "INET4"
	typeINET6 = "INET6"
)

var uuidText = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// checkAddress refuses text that such a column would give back written in another way.
func (t *target) checkAddress(s string) error {
	switch t.Type {
	case typeUUID:
		if !uuidText.MatchString(s) {
			return errors.New("must be a UUID in lower case, such as 123e4567-e89b-12d3-a456-426655440000")
		}
	case typeINET4:
		if a, err := netip.ParseAddr(s); err != nil || !a.Is4() {
			return errors.New("must be an IPv4 address, such as 192.0.2.1")
		}
	default:
		a, err := netip.ParseAddr(s)
		if err != nil || !a.Is6() || a.Zone() != "" {
			return errors.New("must be an IPv6 address, such as 2001:db8::1")
		}
		if text := inet6Text(a); text != s {
			return fmt.Errorf("must be written as the column gives it back: %s", text)
		}
	}
	return nil
}

// inet6Text writes an address as MariaDB does: the first of the longest runs of zeros is left out, even if it is one
// alone, and what looks like IPv4 in IPv6 ends as IPv4.
func inet6Text(a netip.Addr) string {
	raw := a.As16()
	var groups [8]uint16
	for i := range groups {
		groups[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
	}
	gap, length := -1, 0
	for i := 0; i < len(groups); i++ {
		n := 0
		for i+n < len(groups) && groups[i+n] == 0 {
			n++
		}
		if n > length {
			gap, length = i, n
		}
		i += n
	}
	v4 := gap == 0 && (length == 6 || length == 5 && groups[5] == 0xffff)
	var b strings.Builder
	for i := 0; i < len(groups); i++ {
		switch {
		case i == gap:
			b.WriteString("::")
			i += length - 1
			continue
		case v4 && i == 6:
			b.WriteString(netip.AddrFrom4([4]byte(raw[12:])).String())
			return b.String()
		}
		fmt.Fprintf(&b, "%x", groups[i])
		if i+1 < len(groups) && i+1 != gap {
			b.WriteByte(':')
		}
	}
	return b.String()
}
