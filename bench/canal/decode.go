package canal

import (
	"context"
	"fmt"

	"github.com/go-mysql-org/go-mysql/replication"
)

// Decode reads the log from a position until it has seen as many changed rows of a table, as go-mysql decodes them by
// default, and does nothing with them.
func Decode(ctx context.Context, server Server, schema, table string, from Position, rows uint64) error {
	config, err := server.syncer()
	if err != nil {
		return err
	}
	syncer := replication.NewBinlogSyncer(config)
	defer syncer.Close()
	stream, err := syncer.StartSync(from.at())
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	for seen := uint64(0); seen < rows; {
		event, err := stream.GetEvent(ctx)
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		changed, ok := event.Event.(*replication.RowsEvent)
		if !ok || string(changed.Table.Schema) != schema || string(changed.Table.Table) != table {
			continue
		}
		n := len(changed.Rows)
		if changed.Type() == replication.EnumRowsEventTypeUpdate {
			n /= 2 // before and after
		}
		seen += uint64(n) //nolint:gosec // a length
	}
	return nil
}
