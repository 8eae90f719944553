// Package breaking finds what a newer contract breaks for clients of an older one: for their generated code, on the wire,
// in JSON, and in their HTTP requests.
//
// Rules and their names are those of buf's category PACKAGE (buf.build/docs/breaking/rules), whose own code can't be
// linked in: its packages end a program that is not buf. A test holds this package to what buf itself finds. Rules about
// google.api.http are ours, since buf has none; their names begin with HTTP_RULE.
//
// Not in here: buf's rules about extensions, C++, JavaScript and UTF-8 options, and about what contract.Load refuses.
package breaking
