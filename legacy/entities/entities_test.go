package entities_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/entities"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

// named names entities of one message.
func named(entity string, ids ...string) (all []mirror.EntityName) {
	for _, id := range ids {
		all = append(all, mirror.EntityName{Entity: entity, ID: id})
	}
	return all
}

func asNumber(text string, n *uint64) (uint64, error) {
	var err error
	*n, err = strconv.ParseUint(text, 10, 64)
	return *n, err
}

// open makes Entities of all events; owners are keys.
func (l *lab) open() *entities.Entities { return l.bounded(0) }

// bounded is open with MaxBytes.
func (l *lab) bounded(bytes int) *entities.Entities {
	all := map[protoreflect.FullName]entities.Entity{}
	for _, event := range l.program.Events() {
		all[event.Entity.FullName()] = entities.Entity{Event: event, Key: func(m protoreflect.Message) (string, error) {
			field := m.Descriptor().Fields().ByName("owner")
			if field == nil {
				field = m.Descriptor().Fields().ByName("name")
			}
			if key := m.Get(field).String(); key != "" {
				return key, nil
			}
			return "", errors.New("nobody owns it")
		}}
	}
	return entities.New(entities.Options{Backend: l.backend, Contract: l.contract, Schema: "shop", Entities: all, MaxBytes: bytes})
}

// What one reading holds is bounded by bytes, and is one entity at least.
func TestReadIsBounded(t *testing.T) {
	l := newLab(t, devstack.Databases(t)[0])
	at := l.end(t)
	for bytes, want := range map[int]int{1: 1, 100: 2, 1 << 20: 4} { // the first two have some sixty bytes each
		got, err := l.bounded(bytes).Read(t.Context(), at, named("lab.v1.Box", "9", "1", "9", "3"))
		if err != nil || len(got) != want || got[0].ID != "9" {
			t.Errorf("of at most %d bytes, %d were read: %+v, %v", bytes, len(got), got, err)
		}
	}
}

// Messages come in protobuf's bytes where they are asked for; of one of which nothing is set there are none, and it is there.
func TestReadProtobuf(t *testing.T) {
	l := newLab(t, devstack.Databases(t)[0])
	l.exec(t, "INSERT INTO owners VALUES ('')")
	all := map[protoreflect.FullName]entities.Entity{}
	for _, event := range l.program.Events() {
		all[event.Entity.FullName()] = entities.Entity{Event: event, Key: func(protoreflect.Message) (string, error) { return "k", nil }}
	}
	e := entities.New(entities.Options{Backend: l.backend, Contract: l.contract, Schema: "shop", Entities: all, Protobuf: true, MaxBytes: 30})
	l.exec(t, "DELETE FROM boxes WHERE owner = ''")
	got, err := e.Read(t.Context(), l.end(t), []mirror.EntityName{{Entity: "lab.v1.Owner"}, {Entity: "lab.v1.Box", ID: "3"}, {Entity: "lab.v1.Box", ID: "1"}, {Entity: "lab.v1.Box", ID: "9"}})
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	if got[0].Deleted || got[0].Proto == nil || len(got[0].Proto) > 0 || got[0].Data != nil {
		t.Errorf("an empty one is %+v", got[0])
	}
	if !got[1].Deleted || got[1].Proto != nil {
		t.Errorf("a deleted one is %+v", got[1])
	}
	box := dynamicpb.NewMessage(l.contract.Message("lab.v1.Box"))
	if err := proto.Unmarshal(got[2].Proto, box); err != nil || box.Get(box.Descriptor().Fields().ByName("owner")).String() != "ann" {
		t.Errorf("%v, %v", box, err)
	}
}

func TestRead(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			l := newLab(t, server)
			e := l.open()
			at := l.end(t)
			got, err := e.Read(t.Context(), at, named("lab.v1.Box", "9", "3", "1", "x"))
			if err != nil {
				t.Fatal(err)
			}
			want := []mirror.EntityState{
				{ID: "9", Key: "bob", Data: []byte(`{"id":"9","owner":"bob","made":"2021-01-01T00:00:00Z"}`)},
				{ID: "3", Deleted: true},
				{ID: "1", Key: "ann", Data: []byte(`{"id":"1","owner":"ann","things":[{"name":"x"},{"name":"y"}],"made":"2020-02-29T12:00:00.500Z"}`)},
				{ID: "x", Deleted: true},
			}
			compare(t, got, want)
			got, err = e.Read(t.Context(), at, named("lab.v1.Owner", "ann", "", "o'hara"))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, got, []mirror.EntityState{
				{ID: "ann", Key: "ann", Data: []byte(`{"name":"ann","boxes":"1"}`)}, {ID: "", Deleted: true}, {ID: "o'hara", Deleted: true},
			})
			if got, err := e.Read(t.Context(), at, named("lab.v1.Box")); err != nil || len(got) != 0 {
				t.Errorf("none asked for: %v, %v", got, err)
			}
			got, err = e.Read(t.Context(), at, named("lab.v1.Box", "2", "9"))
			if err != nil || len(got) != 2 || got[0].Unreadable == nil || got[0].Key+string(got[0].Data) != "" || got[0].Deleted || !strings.Contains(got[0].Unreadable.Error(), "Box 2 can't be told: nobody owns it") || got[1].Unreadable != nil {
				t.Errorf("an entity without a key: %+v, %v", got, err)
			}
			if got, err := e.Read(t.Context(), at, named("lab.v1.Crate", "1")); err != nil || len(got) != 1 || got[0].Unreadable == nil || !strings.Contains(got[0].Unreadable.Error(), "lab.v1.Crate") {
				t.Errorf("no entity: %+v, %v", got, err)
			}
		})
	}
}

// compare holds states against others; their JSON may have other blanks.
func compare(t *testing.T, got, want []mirror.EntityState) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d states, want %d", len(got), len(want))
	}
	for i := range want {
		g, w := got[i], want[i]
		if g.ID != w.ID || g.Key != w.Key || g.Deleted != w.Deleted || !reflect.DeepEqual(parse(t, g.Data), parse(t, w.Data)) {
			t.Errorf("got %+v %s,\nwant %+v %s", g, g.Data, w, w.Data)
		}
	}
}

func parse(t *testing.T, data []byte) (v any) {
	t.Helper()
	if data == nil {
		return nil
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return v
}

func TestOf(t *testing.T) {
	l := newLab(t, devstack.Databases(t)[0])
	event := *l.program.Event("lab.v1.Box")
	event.Tables = append(event.Tables[:2:2], legacy.EventTable{Schema: "Other", Table: "Boxes", Column: "b"})
	all := map[protoreflect.FullName]entities.Entity{"lab.v1.Box": {Event: &event}, "lab.v1.Owner": {Event: l.program.Event("lab.v1.Owner")}}
	for _, fold := range []bool{false, true} {
		e := entities.New(entities.Options{Contract: l.contract, Schema: "shop", Entities: all, FoldCase: fold})
		for table, want := range map[string]string{
			"shop.things": "lab.v1.Box by box", "shop.boxes": "lab.v1.Box by id, lab.v1.Owner by owner", "Other.Boxes": "lab.v1.Box by b",
			"shop.Boxes": "lab.v1.Box by id, lab.v1.Owner by owner", "other.boxes": "lab.v1.Box by b", "Other.things": "", "shop.": "lab.v1.Box by id, lab.v1.Box by box, lab.v1.Owner by name, lab.v1.Owner by owner", "Other.": "lab.v1.Box by b", "crm.": "", ".boxes": "", "shop.other": "",
		} {
			if !fold && (table == "shop.Boxes" || table == "other.boxes") {
				want = ""
			}
			schema, name, _ := strings.Cut(table, ".")
			var boxes, owners []string
			for _, of := range e.Of(schema, name) {
				if text := of.Entity + " by " + of.Column; of.Entity == "lab.v1.Box" {
					boxes = append(boxes, text)
				} else {
					owners = append(owners, text)
				}
			}
			if got := strings.Join(append(boxes, owners...), ", "); got != want {
				t.Errorf("%s, folded %v: %q, want %q", table, fold, got, want)
			}
		}
	}
}

// A place that the server has not come to is waited for, until time is over.
func TestReadWaitsForThePlace(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			l := newLab(t, server)
			e := l.open()
			ahead := l.end(t)
			ahead.Offset += 1 << 40
			if ahead.GTIDs != "" {
				ahead.GTIDs = strings.Replace(ahead.GTIDs, ":1-", ":1-9", 1)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if got, err := e.Read(ctx, ahead, named("lab.v1.Box", "1")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, %v", got, err)
			}
			if n := l.pool.Stats().InUse; n != 0 {
				t.Errorf("%d connections are still held", n)
			}
		})
	}
}

// A place in another server's log says nothing about this one: while a failover moves the address, nothing is read, and no
// connection is kept.
func TestReadRefusesAnotherServer(t *testing.T) {
	server := devstack.Databases(t)[0] // MySQL goes by GTIDs, which are the same on all servers
	l := newLab(t, server)
	e := l.open()
	at := l.end(t)
	at.Server = change.MariaDBServer(77, "elsewhere", 3306)
	open := l.pool.Stats().Open
	if got, err := e.Read(t.Context(), at, named("lab.v1.Box", "1")); !errors.Is(err, change.ErrServers) || !strings.Contains(err.Error(), at.Server) || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if n := l.pool.Stats().Open; n != open-1 {
		t.Errorf("%d of %d connections are kept, and the one that led elsewhere among them", n, open)
	}
}

// However many transactions are being committed, what is in the log before the place is in what is read: rows reach the
// log before the engine commits them.
func TestReadContainsWhatIsBeforeThePlace(t *testing.T) {
	const perWriter, writers = 150, 3
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			l := newLab(t, server)
			e := l.open()
			start := l.end(t)
			var busy sync.WaitGroup
			for range writers {
				busy.Go(func() {
					for range perWriter {
						if _, err := l.db.ExecContext(t.Context(), "UPDATE boxes SET n = n + 1 WHERE id = 1"); err != nil {
							t.Error(err)
						}
					}
				})
			}
			writing, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				busy.Wait()
				cancel()
			}()
			type reading struct {
				at change.Position
				n  int
			}
			var readings []reading
			read := func(ctx context.Context, at change.Position) bool {
				states, err := e.Read(ctx, at, named("lab.v1.Box", "1"))
				if ctx.Err() != nil {
					return false
				}
				if err != nil {
					t.Fatal(err)
				}
				var box struct {
					N int `json:"n,string"`
				}
				if err := json.Unmarshal(states[0].Data, &box); err != nil {
					t.Fatal(err)
				}
				readings = append(readings, reading{at, box.N})
				return true
			}
			for i := uint64(0); ; i++ {
				at := l.end(t)
				if at.GTIDs == "" {
					at.Offset += i % 5 * 400 // what is being written now, and has to be waited for
				}
				if !read(writing, at) {
					break
				}
			}
			read(t.Context(), l.end(t))
			ends := l.commits(t, start)
			if len(ends) != writers*perWriter {
				t.Fatalf("the log has %d transactions", len(ends))
			}
			for _, r := range readings {
				before := 0
				if r.at.GTIDs != "" { // MySQL's may be behind the offset that comes with them
					before = executed(t, r.at) - executed(t, start)
				}
				for _, end := range ends {
					if r.at.GTIDs != "" {
						break
					}
					if order, err := end.Compare(r.at); err != nil {
						t.Fatal(err)
					} else if order <= 0 {
						before++
					}
				}
				if r.n < before {
					t.Errorf("at %s, %d transactions are in the log and %d were read", r.at, before, r.n)
				}
			}
			if last := readings[len(readings)-1]; last.n != len(ends) {
				t.Errorf("at last %d were read", last.n)
			}
			t.Logf("%d readings of %d transactions", len(readings), len(ends))
		})
	}
}

// executed counts the transactions of MySQL's log.
func executed(t *testing.T, at change.Position) int {
	t.Helper()
	n, err := strconv.Atoi(at.GTIDs[strings.LastIndexAny(at.GTIDs, ":-")+1:])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// commits gives where the log's transactions that change boxes end, in their order.
func (l *lab) commits(t *testing.T, start change.Position) (ends []change.Position) {
	t.Helper()
	var files []string
	l.each(t, "SHOW BINARY LOGS", func(row map[string]string) { files = append(files, row["Log_name"]) })
	for _, file := range files {
		from := ""
		switch order, err := (change.Position{File: file}).Compare(change.Position{File: start.File}); {
		case err != nil:
			t.Fatal(err)
		case order < 0:
			continue
		case order == 0:
			from = fmt.Sprintf(" FROM %d", start.Offset)
		}
		mine := false
		l.each(t, "SHOW BINLOG EVENTS IN '"+file+"'"+from, func(row map[string]string) {
			switch row["Event_type"] {
			case "Table_map":
				mine = mine || strings.Contains(row["Info"], "("+l.schema+".boxes)")
			case "Xid":
				if mine {
					end := change.Position{Server: start.Server, File: file}
					if _, err := asNumber(row["End_log_pos"], &end.Offset); err != nil {
						t.Fatal(err)
					}
					ends = append(ends, end)
				}
				mine = false
			}
		})
	}
	return ends
}
