// Package versions answers operations of an older version of the contract by those of a newer one: it translates each
// request, calls the Backend behind, and translates its replies and errors.
//
// Compile makes plans at start and reports all that is wrong with the definitions. A plan works on wire bytes: what only
// moves or has another name is copied as bytes, and where nothing changes at all a message goes through unread. Only
// fields that CEL expressions fill are decoded.
//
// It knows neither files nor YAML (see internal/config), and neither SQL nor services: it is a Backend before the Router.
package versions
