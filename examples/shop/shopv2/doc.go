// Package shopv2 is the contract shop.v2 for Go programs: what protoc makes of the .proto files in ../contract. Banyan itself
// needs none of it; the new order service and clients of the shop do.
package shopv2

//go:generate go run ../../../internal/generate -gateway=false -below shop/v2 -package banyan.dev/banyan/examples/shop/shopv2 ../contract
