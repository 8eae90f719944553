package house

// room is a directory with all below it, unless a longer entry names a part of it.
type room struct {
	dir   string
	may   []string // rooms of ours that it may import, each with all below it
	why   string
	tests []string // rooms that its tests may import besides
}

// rooms is the plan of the house: imports go from cmd down to the leaves.
// A request and a changed row each walk through it without turning back.
func rooms() []room {
	heart := []string{"strangler", "flags", "contract", "mirror/change", "protocol", "internal/fault"}
	return []room{
		{dir: "internal/fault", why: "it is a leaf: every reader of files tells faults with it"},
		{dir: "contract", may: []string{"internal/fault"}, why: "it is a leaf: what clients see depends on nothing of how it is answered"},
		{dir: "mirror/change", may: []string{"internal/fault"}, why: "it is a leaf: sources and sinks meet in it without knowing each other"},
		{dir: "protocol", why: "it is a leaf: Banyan and the services of others meet in it without knowing each other"},
		{dir: "proto", why: "it is generated from Banyan's own API and knows nothing else"},
		{dir: "migrations", why: "it holds SQL, not logic"},
		{dir: "flags", may: []string{"contract", "internal/fault"}, why: "a decision needs definitions and the contract's values only"},
		{dir: "strangler", may: []string{"contract", "mirror/change", "protocol", "flags", "internal/fault"}, why: "the heart knows ports, not who stands behind them"},
		{dir: "legacy", may: heart, why: "the legacy answers calls of the heart and knows neither clients nor brokers", tests: []string{"migrations"}},
		{dir: "legacy/entities", may: append([]string{"legacy", "mirror"}, heart...), why: "it fills the mirror's port with what legacy reads: neither of both knows the other"},
		{dir: "mirror", may: heart, why: "the mirror meets databases and brokers through its ports only"},
		{dir: "consumer", may: []string{"contract", "mirror/change", "protocol", "proto"}, why: "services of others build on it: it must not bring the facade along", tests: []string{"examples"}},
		{dir: "adapters", may: append([]string{"mirror", "proto", "migrations"}, heart...), why: "an adapter fills a port and knows no other adapter"},
		{dir: "api", may: append([]string{"proto"}, heart...), why: "what clients reach talks to the heart, whoever answers behind it"},
		{dir: "internal/config", may: []string{"contract", "internal/fault"}, why: "it reads a file; what is built of it is the app's work"},
		{dir: "internal/devstack", why: "servers for tests must be usable by every test"},
		{dir: "internal/generate", why: "it writes code from .proto files, whatever they say"},
		{dir: "internal/house", why: "it reads the house from outside"},
		{dir: "internal/app", may: append([]string{"api", "adapters", "mirror", "legacy", "legacy/entities", "migrations", "proto", "internal/config"}, heart...), why: "it is the one place where everything is wired, for those above it", tests: []string{"internal/chaos/boxes", "internal/app/apptest"}},
		{dir: "internal/app/apptest", may: []string{"internal/app", "internal/devstack"}, why: "it runs what is wired with accounts of its own on servers for tests"},
		{dir: "internal/cli", may: append([]string{"internal/app", "internal/config", "internal/devstack", "legacy", "adapters", "mirror", "proto", "examples", "consumer/conformance"}, heart...), why: "commands call what is wired below", tests: []string{"api"}},
		{dir: "cmd", may: []string{"internal/cli", "internal/app"}, why: "main only hands over"},
		{dir: "examples", may: []string{"contract", "consumer", "protocol", "internal/devstack", "internal/fault"}, why: "an example shows what a team can have: nothing of Banyan's inside", tests: []string{"legacy", "strangler", "internal"}},
		{dir: "internal/chaos/boxes", may: []string{"consumer", "contract", "protocol"}, why: "it is a service as others write one"},
		{dir: "internal/chaos", may: []string{"internal/chaos/boxes", "mirror", "mirror/change", "proto", "protocol", "adapters", "examples", "internal/devstack"}, why: "it judges the mirror by what consumers get, and disturbs it from outside", tests: []string{"internal/cli", "internal/app"}},
		{dir: "bench", may: []string{"internal", "legacy", "api", "strangler", "contract", "examples", "adapters", "mirror", "mirror/change", "legacy/entities", "migrations", "consumer", "protocol"}, why: "it runs Banyan beside others, and services that it feeds"},
		{dir: "internal/volume", why: "it has tests only, which take the whole of Banyan and the kit through what is large", tests: []string{"consumer", "protocol", "internal/cli", "internal/app/apptest"}},
	}
}

// doors are directories whose parts never import each other.
func doors() map[string]string {
	return map[string]string{"adapters": "an adapter can then be replaced or left out alone"}
}
