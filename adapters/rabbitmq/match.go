package rabbitmq

import "strings"

// Match says whether a topic exchange gives a message with a routing key to a queue that is bound by a pattern. Words are
// separated by dots; * stands for one word, # for any number of words, none too (AMQP 0-9-1, section 3.1.3.3).
func Match(pattern, key string) bool {
	p, k := split(pattern), split(key)
	// As with wildcards of file names: behind a #, only the last one has to be tried again, with one word more.
	i, j, hash, mark := 0, 0, -1, 0
	for j < len(k) {
		switch {
		case i < len(p) && p[i] == "#":
			hash, mark = i, j
			i++
		case i < len(p) && (p[i] == "*" || p[i] == k[j]):
			i++
			j++
		case hash >= 0:
			mark++
			i, j = hash+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == "#" {
		i++
	}
	return i == len(p)
}

// split gives a key's words. An empty key has none, as RabbitMQ counts.
func split(key string) []string {
	if key == "" {
		return nil
	}
	return strings.Split(key, ".")
}
