// Package health answers whether this process lives (/livez) and whether it can answer calls now (/readyz).
//
// It owns asking the parts, at most once in a while however many probes come, and draining: a process that is about to
// stop is not ready. How a part is asked is the part's own affair.
package health
