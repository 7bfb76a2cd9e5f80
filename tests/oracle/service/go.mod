module autopgo/service

go 1.25.0
