// Runs once, when the database of compose.yaml is empty: makes the user that the logger writes as.
const password = require("fs").readFileSync("/run/secrets/mongodb_password", "utf8").trim();
db.getSiblingDB("admin").createUser({
        user: "oblogger",
        pwd: password,
        roles: [
                { role: "readWrite", db: "orderbooks" },
                { role: "dbAdmin", db: "orderbooks" },
        ],
});
