package control

import (
	"errors"
	"fmt"
	"time"
)

// errTurn says that another process is to have a turn.
var errTurn = errors.New("the seat is given up, so that another process tries")

// strangePatience is how many times sooner the seat is given up for what can't be moved on here in any case.
const strangePatience = 6

// turn gives an error of errTurn where something is under way that this process has not been able to move on for as long
// as patience, or that is strange to it: another may have what is missing here.
func (c *Coordinator) turn(patience time.Duration) error {
	for capability, since := range c.strange {
		if time.Since(since) >= patience/strangePatience {
			return fmt.Errorf("%w: this config has no capability %s, of which something is under way", errTurn, capability)
		}
	}
	for capability, at := range c.seats {
		if since := at.failing.Load(); since > 0 && time.Since(c.made)-time.Duration(since) >= patience {
			return fmt.Errorf("%w: %s could not be moved on for %s", errTurn, capability, patience)
		}
	}
	return nil
}
