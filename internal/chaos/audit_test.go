package chaos_test

import (
	"slices"
	"strings"
	"testing"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

// A change that is lost and made good by a later one leaves no different row behind. Only the log knows.
func TestAuditSeesWhatComparingDoesNot(t *testing.T) {
	r := newRig(t, &devstack.MariaDB(t).Server)
	from, err := r.source.Tail(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.start(r.options)
	r.exec("CREATE TABLE t (id int PRIMARY KEY, n int)", "INSERT INTO t VALUES (1, 1)", "UPDATE t SET n = 2", "UPDATE t SET n = 3")
	r.saved()
	to, err := r.source.Tail(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := r.memory.take()
	lost := slices.IndexFunc(all, func(m change.Message) bool { return strings.Contains(string(m.Body), `"after":{"id":1,"n":2}`) })
	if lost < 0 {
		t.Fatalf("the update is not among %d events", len(all))
	}
	if err := r.consume(slices.Delete(slices.Clone(all), lost, lost+1)); err != nil {
		t.Errorf("comparing has seen it: %v", err)
	}
	audit, err := r.consumer.Audit(t.Context(), r.source, from, to)
	if err != nil {
		t.Fatal(err)
	}
	if audit.Expected != 4 || audit.Lost != 1 || audit.Unknown != 0 || audit.Err() == nil || !strings.Contains(audit.Err().Error(), all[lost].ID) {
		t.Errorf("the audit of %s says %+v", all[lost].ID, audit)
	}
}
