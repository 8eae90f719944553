package volume_test

import "testing"

const (
	// mostBanyan and mostService bound what the processes may need, whatever comes: 32 MiB for the mirror, the rest for the
	// programs themselves, which the race detector makes several times as large.
	mostBanyan, mostService = 160 << 20, 160 << 20
	racedTimes              = 4
	// mostLarge bounds both where entities have 5 MB, of which several stages have one or two each at the same time. A hundred
	// of them have more than that.
	mostLarge = 350 << 20
	// slack is by how much the peaks of two equal runs may differ: when rubbish is collected is not ours to say.
	slack = 40 << 20
	// brokerBase and brokerEach are what the broker may need more than when it is empty, for each waiting message besides.
	brokerBase, brokerEach = 200 << 20, 300
)

// within looks at a peak.
func within(t *testing.T, who string, peak, most int64) {
	t.Helper()
	if raced {
		most *= racedTimes
	}
	if peak > most {
		t.Errorf("%s needed %s, more than %s", who, mib(peak), mib(most))
	}
}

// bounded holds the peak of a run against that of one with a tenth of it.
func bounded(t *testing.T, who string, tenth, whole int64) {
	t.Helper()
	most := int64(mostBanyan)
	if who != "Banyan" {
		most = mostService
	}
	within(t, who, whole, most)
	if more := whole - tenth; more > slack && !raced || more > racedTimes*slack {
		t.Errorf("%s needed %s for a tenth, and %s for all", who, mib(tenth), mib(whole))
	}
}
