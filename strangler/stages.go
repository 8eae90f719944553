package strangler

import "banyan.dev/banyan/flags"

// rule is one line of the table of stages.
type rule struct {
	reads  reads
	writes writes
	// compared says that modern is asked beside legacy, off the caller's path.
	compared bool
}

// reads says who answers reads.
type reads uint8

const (
	readLegacy reads = iota
	readModern
	readAsDecided // by the side that the shift says
)

// writes says where writes go.
type writes uint8

const (
	writeLegacy writes = iota
	writeWaits         // for a newer flag
	writeBoth          // to modern, then to legacy, then the caller is told
	writeModern
)

// stages is the table of stages: what becomes of a call at each.
var stages = map[flags.Stage]rule{
	flags.Off:      {reads: readLegacy, writes: writeLegacy},
	flags.Mirrored: {reads: readLegacy, writes: writeLegacy},
	flags.Shadow:   {reads: readLegacy, writes: writeLegacy, compared: true},
	flags.Hold:     {reads: readAsDecided, writes: writeWaits},
	flags.Live:     {reads: readModern, writes: writeBoth},
	flags.Complete: {reads: readModern, writes: writeModern},
}
