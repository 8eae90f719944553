package auth

// Forget has keys forget what they have verified.
func Forget(k *Keys) { k.set.Store(&keySet{keys: k.current().keys}) }
