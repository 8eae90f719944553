// Package shopv1 is the contract shop.v1 for Go programs: what protoc makes of the .proto files in ../contract. Clients that
// have not moved to shop.v2 yet are built on it.
package shopv1

//go:generate go run ../../../internal/generate -gateway=false -below shop/v1 -package banyan.dev/banyan/examples/shop/shopv1 ../contract
