// Package certs gives listeners TLS from files, and takes new ones while it runs: a certificate is renewed by replacing its
// files. Files that can't be used leave what was there before in use, loudly.
//
// It owns how TLS is spoken (TLS 1.2 at least, HTTP/2 offered). What a client certificate says is package auth's.
package certs
