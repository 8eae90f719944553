// Package value carries values between MySQL columns and fields of the contract: unchanged, or refused with a clear
// error. docs/conversions.md has the tables of conversions.
//
// It owns one value at a time. How rows become messages, and which column fills which field, is package legacy's.
package value
