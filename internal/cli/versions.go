package cli

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
	"banyan.dev/banyan/strangler/retirement"
)

// Days of which calls are counted.
const (
	usualDays = 30
	mostDays  = 400
)

func newVersions(sys System) *cobra.Command {
	var f adminFlags
	var number, days int
	cmd := &cobra.Command{
		Use:   "versions",
		Short: "Show the contract's versions, and who still calls those that are deprecated",
		Long: `Show the versions of the contract that a running Banyan serves, and who still calls
those that are deprecated: which client, which operation, how often in the last days,
and when last, on all replicas together.

States: current, deprecated, sunset (its sunset has come, and it is served) and gone (it
is refused: versions.NAME.after_sunset in the config).

` + whomHelp + `

Exit codes: 0 shown, 1 a failure, 2 wrong command line.`,
		Example: "  banyan versions\n  banyan versions --days 7 -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if days < 1 || days > mostDays {
				return usageError{fmt.Errorf("--days %d is out of range: it is 1 to %d", days, mostDays)}
			}
			if number < 1 || number > mostNumber {
				return usageError{errors.New("-n " + strconv.Itoa(number) + " is out of range: it is 1 to " + strconv.Itoa(mostNumber))}
			}
			client, err := f.client(sys)
			if err != nil {
				return err
			}
			all := &adminv1.ListVersionsResponse{}
			query := url.Values{"days": {strconv.Itoa(days)}, "limit": {strconv.Itoa(number)}}
			text, err := client.get(cmd.Context(), "/admin/v1/versions", query, all)
			switch {
			case err != nil:
				return err
			case f.output == "json":
				return write(sys.Stdout, string(text))
			}
			return write(sys.Stdout, versionsPage(colours(sys), all))
		},
	}
	f.flags(cmd, askTimeout)
	numberFlag(cmd, &number)
	cmd.Flags().IntVar(&days, "days", usualDays, fmt.Sprintf("count calls of so many days, in UTC, of which today is one, up to %d", mostDays))
	return cmd
}

// versionsPage shows versions, a line each, and then who calls those that go.
func versionsPage(p paint, all *adminv1.ListVersionsResponse) string {
	const state = 2
	var rows [][]string
	for _, v := range all.GetVersions() {
		rows = append(rows, []string{
			printable(v.GetPackage()), orDash(v.GetTranslates()), printable(v.GetState()), date(v.GetDeprecated()), sunset(v),
			strconv.FormatUint(uint64(v.GetOperations()), 10),
		})
	}
	var b strings.Builder
	b.WriteString(p.columns([]string{"VERSION", "TRANSLATES", "STATE", "DEPRECATED", "SUNSET", "OPERATIONS"}, rows, func(row, column int) string {
		return shade(column == state, stateColour(all.GetVersions()[row].GetState()), "")
	}))
	for _, v := range all.GetVersions() {
		if v.GetWatched() > 0 {
			b.WriteString("\n" + callersOf(p, v, all.GetDays()))
		}
	}
	if all.GetMore() {
		b.WriteString("\nThere are more callers: these called last. -n shows more.\n")
	}
	return b.String()
}

// callersOf shows who calls a version.
func callersOf(p paint, v *adminv1.Version, days int32) string {
	name := printable(v.GetPackage())
	if v.GetWatched() < v.GetOperations() {
		name = fmt.Sprintf("%s, %d of %d operations", name, v.GetWatched(), v.GetOperations())
	}
	since := "callers are counted since " + moment(v.GetCountedSince())
	if v.GetCountedSince() == nil {
		since = "callers are not counted"
		if len(v.GetCallers()) == 0 {
			return name + ": " + since + "\n"
		}
	}
	if len(v.GetCallers()) == 0 {
		return name + ": nobody has called; " + since + "\n"
	}
	rows := make([][]string, 0, len(v.GetCallers()))
	for _, c := range v.GetCallers() {
		rows = append(rows, []string{
			caller(c), printable(strings.TrimPrefix(c.GetOperation(), v.GetPackage()+".")), strconv.FormatUint(c.GetCalls(), 10), moment(c.GetLast()),
		})
	}
	span := fmt.Sprintf("CALLS (%d DAYS)", days)
	if days == 1 {
		span = "CALLS (TODAY)"
	}
	return name + ": " + since + "\n" + p.columns([]string{"CLIENT", "OPERATION", span, "LAST (UTC)"}, rows, func(row, column int) string {
		return shade(column == 0 && v.GetCallers()[row].GetCalls() > 0, bold, "")
	})
}

// caller names a client, or says what one that is not known says it is.
func caller(c *adminv1.Caller) string {
	switch {
	case c.GetClient() != "":
		return printable(c.GetClient())
	case c.GetAgent() == retirement.Others:
		return "others"
	case c.GetAgent() != "":
		return printable("not known (" + c.GetAgent() + ")")
	}
	return "not known"
}

func stateColour(state string) string {
	switch retirement.State(state) {
	case retirement.Deprecated:
		return yellow
	case retirement.Sunset, retirement.Gone:
		return red
	case retirement.Current:
	}
	return ""
}

// sunset gives its day, and what happens then.
func sunset(v *adminv1.Version) string {
	if v.GetRefusedAfterSunset() && v.GetState() != string(retirement.Gone) {
		return date(v.GetSunset()) + ", then refused"
	}
	return date(v.GetSunset())
}

// date gives a day in UTC, with the time where it is not midnight.
func date(t *timestamppb.Timestamp) string {
	if t == nil {
		return "–"
	}
	return strings.TrimSuffix(moment(t), " 00:00:00")
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return printable(text)
}
