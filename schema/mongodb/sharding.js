/* Spreads the collections of the days over the shards of a cluster.
 *
 *   mongosh mongodb://MONGOS/orderbooks sharding.js
 *   mongosh mongodb://HOST/orderbooks --eval 'var dryRun = true' sharding.js    only says what it would do
 *
 * The key is that of the index `place`, {recorder, day, _id}: why, stands in ../mongodb.md. Run again
 * it changes nothing. Needs the role clusterManager. Works on what apply.js has made. */
"use strict";

{
        const fs = require("fs");
        const path = require("path");
        const file = path.join(__dirname, "collections.json");
        const { collections } = EJSON.parse(fs.readFileSync(file, "utf8"));
        const dry = typeof dryRun !== "undefined" && dryRun;
        const cluster = db.hello().msg === "isdbgrid";
        let changed = 0;

        const shardKey = ({ indexes }) => indexes.find(({ name }) => name === "place").key;

        /* The key that the collection is sharded by already, or null. */
        const present = (namespace) => {
                const known = db.getSiblingDB("config").getCollection("collections");
                const entry = cluster ? known.findOne({ _id: namespace }) : null;
                return entry && !entry.dropped && entry.key ? entry.key : null;
        };

        const apply = (namespace, key) => {
                const words = `sh.shardCollection("${namespace}", ${EJSON.stringify(key)})`;
                const found = present(namespace);
                if (found && EJSON.stringify(found) !== EJSON.stringify(key))
                        throw new Error(`${namespace} is sharded by ${EJSON.stringify(found)}`);
                if (found)
                        return;
                print(words);
                if (!dry)
                        sh.shardCollection(namespace, key);
                changed++;
        };

        if (db.getName() === "test")
                throw new Error("name the database in the URI: mongodb://HOST/orderbooks");
        if (!cluster && !dry)
                throw new Error("this server is no mongos of a sharded cluster: nothing to spread over");
        for (const collection of collections) {
                if (collection.of_a_day)
                        apply(`${db.getName()}.${collection.name}`, shardKey(collection));
        }
        print(`${db.getName()}: ${changed} collections ${dry ? "to be sharded" : "sharded"}`);
}
