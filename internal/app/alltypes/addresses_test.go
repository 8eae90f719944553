package alltypes

import (
	"encoding/base64"
	"fmt"
	"net/netip"
)

// address gives the text of an address's bytes, which is all that events have of MariaDB's UUID, INET4 and INET6.
func address(c *column, event string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(event)
	if err != nil {
		return "", err
	}
	if c.is("UUID") && len(raw) == 16 {
		return fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:]), nil
	}
	a, ok := netip.AddrFromSlice(raw)
	if !ok {
		return "", fmt.Errorf("%x is no address", raw)
	}
	return a.String(), nil
}

func addresses() []column {
	return []column{
		{
			ddl: "UUID", on: "mariadb", event: someBytes, fields: []*field{stringField}, about: "The log does not tell it from BINARY(16): the 16 bytes in the order of the text.",
			cells: []cell{
				{sql: "'123e4567-e89b-12d3-a456-426655440000'", event: `"Ej5FZ+ibEtOkVkJmVUQAAA=="`},
				{sql: "'00000000-0000-0000-0000-000000000000'", event: `"AAAAAAAAAAAAAAAAAAAAAA=="`},
				{sql: "'ffffffff-ffff-ffff-ffff-ffffffffffff'", event: `"/////////////////////w=="`},
				{sql: "'017f22e2-79b0-7cc3-98c4-dc0c0c07398f'", event: `"AX8i4nmwfMOYxNwMDAc5jw=="`},
			},
			given: []given{
				{field: stringField, json: `"123E4567-E89B-12D3-A456-426655440000"`, reason: "INVALID_ARGUMENT"},
				{field: stringField, json: `"123e4567e89b12d3a456426655440000"`, reason: "INVALID_ARGUMENT"},
				{field: stringField, json: `""`, reason: "INVALID_ARGUMENT"},
			},
		},
		{
			ddl: "INET6", on: "mariadb", event: someBytes, fields: []*field{stringField}, about: "The log does not tell it from BINARY(16): the 16 bytes of the address, the first part first.",
			cells: []cell{
				{sql: "'2001:db8::ff00:42:8329'", event: `"IAENuAAAAAAAAP8AAEKDKQ=="`},
				{sql: "'::'", event: `"AAAAAAAAAAAAAAAAAAAAAA=="`},
				{sql: "'::1'", event: `"AAAAAAAAAAAAAAAAAAAAAQ=="`},
				{sql: "'::1.2.3.4'", event: `"AAAAAAAAAAAAAAAAAQIDBA=="`},
				{sql: "'::ffff:192.0.2.1'", event: `"AAAAAAAAAAAAAP//wAACAQ=="`},
				{sql: "'1:0:0:2::3'", event: `"AAEAAAAAAAIAAAAAAAAAAw=="`},
				{sql: "'1::2:3:4:5:6:7'", event: `"AAEAAAACAAMABAAFAAYABw=="`},
				{sql: "'1::2:3:0:0:4'", event: `"AAEAAAAAAAIAAwAAAAAABA=="`},
				{sql: "'::2:0:0:0'", event: `"AAAAAAAAAAAAAgAAAAAAAA=="`},
				{sql: "'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'", event: `"/////////////////////w=="`},
			},
			given: []given{
				{field: stringField, json: `"2001:DB8::1"`, reason: "INVALID_ARGUMENT"},
				{field: stringField, json: `"0:0:0:0:0:0:0:1"`, reason: "INVALID_ARGUMENT"},
				{field: stringField, json: `"::1%eth0"`, reason: "INVALID_ARGUMENT"},
			},
		},
		{
			ddl: "INET4", on: "mariadb", event: someBytes, fields: []*field{stringField}, about: "The log does not tell it from BINARY(4): the four bytes of the address, the first part first.",
			cells: []cell{{sql: "'0.0.0.0'", event: `"AAAAAA=="`}, {sql: "'192.168.0.1'", event: `"wKgAAQ=="`}, {sql: "'255.255.255.255'", event: `"/////w=="`}},
			given: []given{
				{field: stringField, json: `"192.168.0.01"`, reason: "INVALID_ARGUMENT"},
				{field: stringField, json: `"192.168.0.256"`, reason: "INVALID_ARGUMENT"},
			},
		},
	}
}
