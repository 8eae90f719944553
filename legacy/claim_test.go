package legacy

import "testing"

// Claims come as a token has them: exact, and nothing that is no value.
func TestClaimValues(t *testing.T) {
	claims := map[string]any{
		"text": "t", "small": int64(-7), "large": uint64(1<<64 - 1), "half": 0.5, "yes": true, "none": nil,
		"list": []any{"a"}, "org": map[string]any{"id": "o7"},
	}
	for _, test := range []struct {
		path []string
		want any
	}{
		{[]string{"text"}, "t"},
		{[]string{"small"}, int64(-7)},
		{[]string{"large"}, uint64(1<<64 - 1)},
		{[]string{"half"}, 0.5},
		{[]string{"yes"}, true},
		{[]string{"org", "id"}, "o7"},
		{[]string{"none"}, nil},
		{[]string{"list"}, nil},
		{[]string{"org"}, nil},
		{[]string{"org", "name"}, nil},
		{[]string{"text", "more"}, nil},
		{[]string{"absent"}, nil},
	} {
		if got := claimValue(claims, test.path); got != test.want {
			t.Errorf("%v: %T %v, want %T %v", test.path, got, got, test.want, test.want)
		}
	}
}
