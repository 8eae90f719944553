package legacy

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/legacy/annotated"
)

// identifies tells whether a field of this kind can be an entity's id.
func identifies(fd protoreflect.FieldDescriptor) bool {
	_, err := idValue(fd, "1")
	return err == nil
}

// eventReads looks at how events are read. All calls are bound, and go in no circles that were not reported.
func (b *binder) eventReads() {
	for _, e := range b.program.events {
		op := b.program.ops[e.Get.Name]
		missing := false
		op.eachCalled(map[*operation]bool{}, func(called *operation) {
			missing = missing || called.tellsMissing()
			called.eachParam(func(p *param) {
				if p.origin == fromClaim {
					b.faults.Add(p.ast.Pos, "leave it out: events are read for services, where there is no caller", "%s in %s, by which %s is read for an event", p.ast, e.Get.Name, e.Entity.FullName())
				}
			})
		})
		if !missing {
			b.faults.Add(op.pos, "make its first statement a :one, or expect a row `else NOT_FOUND …`", "%s reads %s for an event, and never says NOT_FOUND: what is not there would look like an empty one", e.Get.Name, e.Entity.FullName())
		}
	}
}

// eachCalled visits an operation and those that it calls.
func (op *operation) eachCalled(seen map[*operation]bool, visit func(*operation)) {
	if seen[op] {
		return
	}
	seen[op] = true
	visit(op)
	for _, s := range op.statements {
		if s.call != nil && s.call.op != nil {
			s.call.op.eachCalled(seen, visit)
		}
	}
}

// tellsMissing tells whether one of the operation's own statements says NOT_FOUND.
func (op *operation) tellsMissing() bool {
	for _, s := range op.statements {
		switch {
		case s.ast.Expect != nil:
			if s.ast.Expect.Code == codes.NotFound {
				return true
			}
		case s.ast.Kind == annotated.One:
			return true
		}
	}
	return false
}
