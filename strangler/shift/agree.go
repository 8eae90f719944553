package shift

import (
	"slices"
	"strings"
)

// Disagreement says what is missing for all replicas to take the capability for the same, and what to do; empty when they do.
// Where keys move while they don't, one replica writes to legacy what the others have in modern. Fenced replicas don't count.
func Disagreement(replicas []Replica) string {
	var lack, mute []string
	by := map[string][]string{}
	for _, r := range replicas {
		switch {
		case r.Fenced:
		case r.Lacks:
			lack = append(lack, r.Name)
		case r.Digest == "":
			mute = append(mute, r.Name)
		default:
			by[r.Digest] = append(by[r.Digest], r.Name)
		}
	}
	switch {
	case len(lack) > 0:
		return "this capability in the config of " + few(lack) + " (give all replicas the same config)"
	case len(by) > 1:
		var groups []string
		for _, names := range by {
			groups = append(groups, few(names))
		}
		slices.Sort(groups)
		return "the same operations, keys, entity and service in the configs of " + strings.Join(groups, " and of ") + " (give all replicas the same config)"
	case len(mute) > 0:
		return "a word on what operations, keys and entity this capability has from " + few(mute) + " (a version of Banyan before this one doesn't say: run the same one everywhere)"
	default:
		return ""
	}
}
